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
