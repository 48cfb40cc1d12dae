import fc from "fast-check";
import { expect, test } from "vitest";
import { largestBatch } from "./largest-batch.ts";

test("finds the largest batch of a line with steps in few plans", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 10_000 }),
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 200_000 }),
      async (base, slope, budget) => {
        let plans = 0;
        // whole buffers: every eighth image takes a little more
        const peakOf = async (batch: number) => {
          plans++;
          return base + slope * batch + Math.floor(batch / 8);
        };
        const found = await largestBatch(budget, 2, peakOf);
        expect(plans).toBeLessThanOrEqual(20);
        if (!found) {
          expect(await peakOf(2)).toBeGreaterThan(budget);
          return;
        }
        expect(found.peak).toBe(await peakOf(found.batch));
        expect(found.peak).toBeLessThanOrEqual(budget);
        expect(await peakOf(found.batch + 1)).toBeGreaterThan(budget);
      },
    ),
  );
});

test("batches for which no plan can be made do not fit", async () => {
  const found = await largestBatch(10_000, 2, async (batch) => (batch > 100 ? Number.POSITIVE_INFINITY : 50 + batch));
  expect(found).toEqual({ batch: 100, peak: 150 });
  // far from the smallest batch, where the line says nothing of what cannot be planned
  const far = await largestBatch(100_000, 2, async (batch) => (batch > 2674 ? Number.POSITIVE_INFINITY : 50 + batch));
  expect(far).toEqual({ batch: 2674, peak: 2724 });
});

test.each([2e6, 2e10])("finds the largest batch of a parabola below %d bytes in very few plans", async (budget) => {
  const peakOf = (batch: number) => 55_000 + 3200 * batch + 24 * batch ** 2;
  let plans = 0;
  const found = await largestBatch(budget, 2, async (batch) => {
    plans++;
    return peakOf(batch);
  });
  expect(plans).toBeLessThanOrEqual(7);
  expect(found?.peak).toBeLessThanOrEqual(budget);
  expect(peakOf((found?.batch ?? 0) + 1)).toBeGreaterThan(budget);
});
