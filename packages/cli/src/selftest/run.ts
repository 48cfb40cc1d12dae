/** Runs self-tests: an op's kernels on a backend against the CPU reference backend, op by op. */
import { type Backend, compile, cpuBackend, type HostValue } from "@guidance/tensor";
import { describeError } from "../errors.ts";
import { type SelfTest, selfTests } from "./cases.ts";
import { specialTests } from "./special.ts";

/** An op and what is wrong with it, if anything. */
export interface SelfTestResult {
  readonly op: string;
  readonly fault?: string;
  /** What the device lacks to run it. */
  readonly lacks?: string;
}

/** Largest difference allowed, as a part of the largest value: sums in another order, and built-in functions. */
const TOLERANCE = 2e-5;

async function outputs(backend: Backend, tests: readonly SelfTest[]): Promise<HostValue[]> {
  const named = tests.flatMap(({ inputs }, t) => inputs.map((value, i) => [`input${t}_${i}`, value] as const));
  const types = Object.fromEntries(named.map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
  const step = await compile(backend, types, (symbols) =>
    Object.fromEntries(
      tests.map(({ inputs, apply }, t) => [`output${t}`, apply(inputs.map((_, i) => symbols[`input${t}_${i}`]))]),
    ),
  );
  try {
    const values = await step(Object.fromEntries(named.map(([name, { values }]) => [name, values])));
    return tests.map((_, t) => values[`output${t}`]);
  } finally {
    step.close();
  }
}

/** How far `actual` is from `expected`, relative to its largest value; integers and exact tests must be equal. */
function difference(actual: HostValue, expected: HostValue, exact: boolean): number {
  if (exact) return actual.data.every((value: number, i: number) => Object.is(value, expected.data[i])) ? 0 : Infinity;
  let scale = 1e-30;
  for (const value of expected.data) scale = Math.max(scale, Math.abs(value));
  let worst = 0;
  actual.data.forEach((value: number, i: number) => {
    const gap = Math.abs(value - expected.data[i]) / scale;
    worst = Math.max(worst, Number.isNaN(gap) ? Infinity : gap);
  });
  return actual.dtype === "f32" || worst === 0 ? worst : Infinity;
}

/** What is wrong with an op, if anything: its worst test. */
function faultOf(tests: readonly SelfTest[], actual: readonly HostValue[], expected: readonly HostValue[]) {
  const gaps = tests.map(({ exact = false, tolerance = TOLERANCE }, t) => {
    const gap = difference(actual[t], expected[t], exact);
    return { gap, excess: gap / tolerance };
  });
  const { gap, excess } = gaps.reduce((worst, one) => (one.excess > worst.excess ? one : worst));
  if (excess <= 1) return undefined;
  if (Number.isFinite(gap)) return `differs from the CPU by ${gap.toExponential(1)} of its largest value`;
  const t = gaps.findIndex((one) => one.gap === Infinity);
  const list = ({ data }: HostValue) =>
    Array.from(data.subarray(0, 8), (x) => (Object.is(x, -0) ? "-0" : Number(x.toPrecision(6)))).join(", ");
  return `differs from the CPU: ${list(actual[t])} instead of ${list(expected[t])}`;
}

/** Tests every op on `backend`, one after another. */
export async function* runSelfTests(backend: Backend): AsyncGenerator<SelfTestResult> {
  await using reference = cpuBackend();
  for (const [op, ordinary] of selfTests) {
    const tests = [...ordinary, ...(specialTests[op] ?? [])];
    if (op === "castF16" && !backend.limits.halves) {
      yield { op, lacks: "shader-f16" };
      continue;
    }
    try {
      const [actual, expected] = [await outputs(backend, tests), await outputs(reference, tests)];
      const fault = faultOf(tests, actual, expected);
      yield fault === undefined ? { op } : { op, fault };
    } catch (error) {
      yield { op, fault: describeError(error) };
    }
  }
}
