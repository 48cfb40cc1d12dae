import fc from "fast-check";
import { expect, test } from "vitest";
import { cutBatches } from "./program.ts";
import { LONGEST_SUBMIT } from "./throughput.ts";

test("submits keep the order, are cut between kernels, and last half a second unless one kernel is longer", () => {
  const calls = fc.array(fc.record({ seconds: fc.double({ min: 0, max: 1, noNaN: true }), count: fc.nat({ max: 4 }) }));
  fc.assert(
    fc.property(calls, (kernels) => {
      const dispatches = kernels.flatMap(({ seconds, count }, kernel) =>
        Array.from({ length: count }, () => ({ kernel, seconds })),
      );
      const batches = cutBatches(dispatches, kernels);
      expect(batches.flat()).toEqual(dispatches);
      for (const batch of batches) {
        const inside = [...new Set(batch.map(({ kernel }) => kernel))];
        const total = inside.reduce((sum, kernel) => sum + kernels[kernel].seconds, 0);
        expect(inside.length <= 1 || total <= LONGEST_SUBMIT + 1e-9).toBe(true);
      }
      for (const { kernel } of dispatches)
        expect(batches.filter((batch) => batch.some((one) => one.kernel === kernel)).length).toBe(1);
    }),
  );
});

test("a plan without kernels still has a submit, for its copies", () => {
  expect(cutBatches([], [])).toEqual([[]]);
});
