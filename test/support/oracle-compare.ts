// Comparisons with stored values. Tolerances are absolute; the oracle tests derive them as the fixtures' README says.

import { expect } from "vitest";

/** Largest magnitude. */
export function maxAbs(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
  return largest;
}

/** L2 norm. */
export function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ** 2;
  return Math.sqrt(sum);
}

/** Fails unless both have the same length and differ by at most `tolerance` at every index; NaN is never close. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(actual.length, `${what}: number of elements`).toBe(expected.length);
  let worst = 0;
  for (let i = 1; i < expected.length; i++) if (!(error(i) <= error(worst))) worst = i;
  const place = `${what}: element ${worst} is ${actual[worst]}, expected ${expected[worst]}; difference`;
  if (expected.length > 0) expect(error(worst), place).toBeLessThanOrEqual(tolerance);

  function error(index: number): number {
    const difference = Math.abs(actual[index] - expected[index]);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
}
