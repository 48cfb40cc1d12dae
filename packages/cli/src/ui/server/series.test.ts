import { expect, test } from "vitest";
import { Series } from "./series.ts";

const rows = ["a", "b"];

test("a short curve has a column for each step, and tells only what is new", () => {
  const series = new Series(8);
  expect(series.since(0, true)).toBeUndefined();
  series.add(1, rows, [1, Number.NaN], 1);
  series.add(2, rows, [3, 4], 2);
  const first = { from: 0, rows, steps: [1, 2] };
  expect(series.since(0, true)).toEqual({
    ...first,
    mean: [
      [1, 3],
      [null, 4],
    ],
  });
  expect(series.since(1, true)).toEqual({ from: 1, steps: [2], mean: [[3], [4]] });
  expect(series.since(2, true)).toBeUndefined();
});

test("a long curve keeps means, extremes and the last step in few columns", () => {
  const series = new Series(8);
  for (let step = 1; step <= 1000; step++) series.add(step, ["x"], [step], 1);
  const { steps, mean, low, high } = series.since(0, true)!;
  expect(steps.length).toBeLessThanOrEqual(8);
  expect(steps.at(-1)).toBe(1000);
  expect(low![0][0]).toBe(1);
  expect(high![0].at(-1)).toBe(1000);
  steps.forEach((last, i) => {
    const from = (steps[i - 1] ?? 0) + 1;
    expect(mean[0][i]).toBe((from + last) / 2);
  });
  // the last column still fills, the others are as they were
  series.add(1001, ["x"], [5], 2);
  expect(series.since(1, true)!.from).toBeGreaterThan(0);
});

test("a curve that begins anew replaces the old one", () => {
  const series = new Series(8);
  for (let step = 1; step <= 5; step++) series.add(step, ["x"], [step], 1);
  series.clear(2);
  expect(series.since(1, false)).toEqual({ from: 0, rows: ["x"], steps: [], mean: [[]] });
  series.add(1, ["x"], [9], 3);
  expect(series.since(2, false)).toMatchObject({ from: 0, steps: [1], mean: [[9]] });
});
