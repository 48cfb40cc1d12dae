// Mixed precision on a device: halves in every kind of kernel train a network to the losses of float32, nearly.

import { openBackend } from "@guidance/shaders";
import { cpuBackend } from "@guidance/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { trainSmallNetwork } from "./support/small-network.ts";
import { openTier } from "./support/tiers.ts";

const backend = await openTier("webgpu", openBackend, ({ name }) => name);
afterAll(() => backend?.close());

const STEPS = 8;

describe.skipIf(!backend)("in mixed precision", () => {
  test("a network trains to the losses of the CPU, and nearly to those of float32", async () => {
    const float32 = await trainSmallNetwork(cpuBackend(), STEPS);
    const emulated = await trainSmallNetwork(cpuBackend(), STEPS, { mixed: true });
    const losses = await trainSmallNetwork(backend!, STEPS, { mixed: true });
    expect(losses[0]).toBeCloseTo(emulated[0], 5);
    expect(losses).toEqual(emulated.map((loss) => expect.closeTo(loss, 2)));
    expect(losses).toEqual(float32.map((loss) => expect.closeTo(loss, 1)));
    expect(losses).not.toEqual(float32.map((loss) => expect.closeTo(loss, 5)));
    expect(losses.at(-1)).toBeLessThan(losses[0]);
  });
});
