/**
 * The innermost loops of the interpreter. The rows of the elementwise table are called through a pointer, which costs
 * several times the arithmetic of a cheap op; those have a loop of their own here, tested against their rows.
 */
import type { TypedArray } from "../dtype.ts";
import { type ElementwiseName, elementwiseRows } from "../ops/elementwise.ts";

/** Whether elements are 32-bit integers, whose arithmetic wraps. */
const isInteger = (array: TypedArray): boolean => array instanceof Int32Array || array instanceof Uint32Array;

/** Computes `count` elements of `out`. */
type Loop = (out: TypedArray, count: number, a: TypedArray, b: TypedArray, c: TypedArray, d: TypedArray) => void;

export const fastLoops: Partial<Record<ElementwiseName, Loop>> = {
  neg(out, count, a) {
    for (let i = 0; i < count; i++) out[i] = -a[i];
  },
  relu(out, count, a) {
    for (let i = 0; i < count; i++) out[i] = Math.max(a[i], 0);
  },
  sqrt(out, count, a) {
    for (let i = 0; i < count; i++) out[i] = Math.sqrt(a[i]);
  },
  reciprocal(out, count, a) {
    for (let i = 0; i < count; i++) out[i] = 1 / a[i];
  },
  add(out, count, a, b) {
    for (let i = 0; i < count; i++) out[i] = a[i] + b[i];
  },
  sub(out, count, a, b) {
    for (let i = 0; i < count; i++) out[i] = a[i] - b[i];
  },
  mul(out, count, a, b) {
    if (isInteger(out)) for (let i = 0; i < count; i++) out[i] = Math.imul(a[i], b[i]);
    else for (let i = 0; i < count; i++) out[i] = a[i] * b[i];
  },
  div(out, count, a, b) {
    for (let i = 0; i < count; i++) out[i] = a[i] / b[i];
  },
  equal(out, count, a, b) {
    for (let i = 0; i < count; i++) out[i] = a[i] === b[i] ? 1 : 0;
  },
  less(out, count, a, b) {
    for (let i = 0; i < count; i++) out[i] = a[i] < b[i] ? 1 : 0;
  },
  where(out, count, condition, a, b) {
    for (let i = 0; i < count; i++) out[i] = condition[i] ? a[i] : b[i];
  },
};

/** `op` of the given arguments, `count` elements. */
export function applyLoop(op: ElementwiseName, args: readonly TypedArray[], out: TypedArray, count: number): void {
  const [a, b = a, c = a, d = a] = args;
  const fast = fastLoops[op];
  if (fast) {
    fast(out, count, a, b, c, d);
    return;
  }
  const { evaluate } = elementwiseRows[op];
  for (let i = 0; i < count; i++) out[i] = evaluate(a[i], b[i], c[i], d[i]);
}

/** Copies `count` elements, `step` apart in the source. */
export function copyRun(
  source: TypedArray,
  from: number,
  step: number,
  out: TypedArray,
  to: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) out[to + i] = source[from + i * step];
}

/** Copies `count` elements to places `step` apart. */
export function scatterRun(
  source: TypedArray,
  from: number,
  out: TypedArray,
  to: number,
  step: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) out[to + i * step] = source[from + i];
}

/** Writes `first`, `first + step`... */
export function countRun(first: number, step: number, out: TypedArray, to: number, count: number): void {
  for (let i = 0; i < count; i++) out[to + i] = first + i * step;
}

/** `start` plus elements [from, to). */
export function sumRun(start: number, values: TypedArray, from: number, to: number): number {
  let sum = start;
  for (let i = from; i < to; i++) sum += values[i];
  return sum;
}
