// What a random case of an op is, and the same case with arguments of half precision.

import type { Tensor } from "@guidance/tensor";
import fc from "fast-check";
import type { CaseInput } from "./draws.ts";

/** One random use of an op. */
export interface OpCase {
  /** Whether a derivative exists here: false where arguments may tie. */
  readonly smooth?: boolean;
  /** Whether tensors of half precision come up, which not every device has. */
  readonly halves?: boolean;
  readonly inputs: readonly CaseInput[];
  apply(inputs: readonly Tensor[]): Tensor;
}

/** The same cases with some of the f32 arguments stored in half precision. */
export const withHalves = (cases: fc.Arbitrary<OpCase>): fc.Arbitrary<OpCase> =>
  fc.tuple(cases, fc.integer({ min: 1, max: 3 })).map(([{ inputs, apply }, chosen]) => ({
    smooth: false,
    halves: true,
    inputs,
    apply: (given) => {
      const result = apply(given.map((x, i) => (x.dtype === "f32" && (chosen >> i) & 1 ? x.cast("f16") : x)));
      return result.dtype === "f16" ? result.cast("f32") : result;
    },
  }));
