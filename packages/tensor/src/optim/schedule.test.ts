import { expect, it } from "vitest";
import { cosineDecay, stepDecay, warmUp } from "./schedule.ts";

it("step decay is torch's StepLR", () => {
  const rate = stepDecay(1, { factor: 0.5, every: 2 });
  expect([0, 1, 2, 3, 4].map(rate)).toEqual([1, 1, 0.5, 0.5, 0.25]);
});

it("cosine decay begins at the rate, passes the middle half way, ends at the minimum and stays there", () => {
  const rate = cosineDecay(1, { total: 10, minimum: 0.2 });
  expect([0, 5, 10, 15].map(rate)).toEqual([1, 0.6, 0.2, 0.2].map((value) => expect.closeTo(value, 12)));
});

it("warm-up rises in equal steps to the whole rate", () => {
  expect([0, 1, 3, 4, 100].map(warmUp(4))).toEqual([0.25, 0.5, 1, 1, 1]);
  expect(warmUp(0)(0)).toBe(1);
});
