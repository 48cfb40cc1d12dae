/**
 * Self-tests of values where devices differ most: NaN, infinities, the two zeros, and a sum so long that one running
 * total in float32 would drift.
 */
import { type ElementwiseName, elementwiseOps } from "@guidance/tensor";
import { applyOp, type SelfTest } from "./cases.ts";
import type { TestInput } from "./values.ts";

const values = (...data: number[]): TestInput => ({
  shape: [data.length],
  dtype: "f32",
  values: Float32Array.from(data),
});

const elementwise = (name: ElementwiseName, ...inputs: TestInput[]): SelfTest => ({
  inputs,
  apply: applyOp(elementwiseOps[name], undefined),
  exact: true,
});

/** Terms of the long sum, and how far it may be off: 1e6 steps of float32 rounding would be off by a hundred times that. */
const LONG = { count: 1_000_000, term: 0.1, tolerance: 1e-5 };

const odd = values(Number.NaN, Infinity, -Infinity, 0, -0, 1, -3e38, 3e38);
const flags: TestInput = { shape: [8], dtype: "bool", values: Uint32Array.of(0, 0, 0, 1, 1, 1, 0, 1) };
const whole = values(1, 2, 3, 4, 5, 6, 7, 8);

/** More tests of some ops. */
export const specialTests: Readonly<Record<string, readonly SelfTest[]>> = {
  isFinite: [elementwise("isFinite", odd)],
  detach: [elementwise("detach", odd)],
  neg: [elementwise("neg", odd)],
  add: [elementwise("add", values(-0, -0, 0, Number.NaN), values(-0, 0, -0, 1))],
  // what is not selected must not show: this is how a step that fails keeps its weights
  where: [elementwise("where", flags, odd, whole)],
  sum: [
    { inputs: [values(1, Number.NaN, 2)], apply: ([x]) => x.sum(), exact: true },
    {
      inputs: [{ shape: [LONG.count], dtype: "f32", values: new Float32Array(LONG.count).fill(LONG.term) }],
      apply: ([x]) => x.sum(),
      tolerance: LONG.tolerance,
    },
  ],
};
