// Random programs, fused and planned, give on WebGPU what they give on the CPU. The seed is fixed: a comparison between
// two nearly equal numbers may rightly fall the other way on another device.

import { openBackend } from "@guidance/shaders";
import { type Backend, cpuBackend } from "@guidance/tensor";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { execute, programs } from "../support/programs.ts";
import { difference } from "../support/reference.ts";
import { openTier } from "../support/tiers.ts";

const backend = await openTier("webgpu", openBackend, ({ name }) => name);
afterAll(() => backend?.close());

it.skipIf(!backend)("random programs give the values of the CPU", async () => {
  const cpu = cpuBackend();
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const { actual } = await execute(program, backend as Backend);
      const { actual: expected } = await execute(program, cpu);
      expected.forEach((values, run) => {
        for (const [name, value] of Object.entries(values))
          expect(difference(actual[run][name], value), `${name} of run ${run}`).toBeLessThan(1e-4);
      });
    }),
    { numRuns: 40, seed: 7 },
  );
});
