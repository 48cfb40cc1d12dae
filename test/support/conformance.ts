// Conformance: every op on random shapes (ragged, with ones, empty, large), on one backend, against its `reference`.

import { type Backend, compile, type InputSpec, LimitError } from "@guidance/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allCases, largeCases, type OpCase } from "./generators.ts";
import { difference, referenceValues } from "./reference.ts";

export interface ConformanceOptions {
  /** Random cases of each op. */
  readonly runs: number;
  /** Largest difference from float64 loops, relative to the largest value. */
  readonly tolerance: number;
  /** Whether to try tensors of millions of elements too. */
  readonly large?: boolean;
}

/** Runs a case on the backend and by the reference; returns their difference. */
async function compare(backend: Backend, { inputs, apply, halves = false }: OpCase): Promise<number> {
  const specs = Object.fromEntries(
    inputs.map(({ shape, dtype }, i): [string, InputSpec] => [`x${i}`, { shape, dtype }]),
  );
  // both sides see values that the backend can hold
  const narrow = backend.precision === "float32";
  const values = Object.fromEntries(
    inputs.map(({ values, dtype }, i) => [`x${i}`, narrow && dtype === "f32" ? values.map(Math.fround) : values]),
  );
  const expected: ArrayLike<number>[] = [];
  const compiling = compile(backend, specs, (symbols) => {
    const result = apply(inputs.map((_, i) => symbols[`x${i}`]));
    expected.push(...referenceValues([result], { inputs: values }));
    return { result };
  });
  if (halves && !backend.limits.halves) {
    await expect(compiling).rejects.toThrow(LimitError);
    return 0;
  }
  const step = await compiling;
  try {
    const { result } = await step(values);
    return difference(result.data, expected[0]);
  } finally {
    step.close();
  }
}

/** Declares the conformance tests of the backend that `open` gives. */
export function conformance(
  name: string,
  backend: Backend,
  { runs, tolerance, large = true }: ConformanceOptions,
): void {
  describe(`${name} gives what the reference gives`, () => {
    it.each([...allCases.keys()])("for %s on random shapes", async (op) => {
      const cases = allCases.get(op) as fc.Arbitrary<OpCase>;
      await fc.assert(
        fc.asyncProperty(cases, async (drawn) => {
          expect(await compare(backend, drawn)).toBeLessThanOrEqual(tolerance);
        }),
        { numRuns: runs },
      );
    });

    it.each(large ? [...largeCases()] : [])("for a large %s", async (_, drawn) => {
      expect(await compare(backend, drawn)).toBeLessThanOrEqual(tolerance);
    });
  });
}
