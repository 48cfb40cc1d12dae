// A machine without any graphics driver: SwiftShader, from an optional npm package, stands in, and trains. Every test file
// runs in a process of its own, so hiding the drivers here, before Dawn first looks for them, hides them from no other.

import { openBackend, type WebGpuBackend } from "@guidance/shaders";
import { compile, cpuBackend, f32 } from "@guidance/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { trainSmallNetwork } from "./support/small-network.ts";
import { openTier } from "./support/tiers.ts";

const nowhere = "/no/such/driver.json";

/** What `openBackend` finds where no system driver can be found. */
async function openWithoutDrivers(): Promise<WebGpuBackend> {
  if (process.platform !== "linux") throw new Error(`drivers cannot be hidden on ${process.platform}`);
  process.env.VK_DRIVER_FILES = nowhere;
  delete process.env.VK_ADD_DRIVER_FILES;
  const backend = await openBackend({ device: "auto" });
  const { kind } = backend.opened;
  if (kind === "swiftshader") return backend;
  await backend.close();
  throw new Error(`a ${kind} adapter answered although its driver was hidden`);
}

const backend = await openTier("swiftshader", openWithoutDrivers, ({ name }) => name);
afterAll(() => backend?.close());

describe.skipIf(!backend)("without a Vulkan driver", () => {
  test("a network trains on SwiftShader to the losses of the CPU", async () => {
    const losses = await trainSmallNetwork(backend!, 5);
    const reference = await trainSmallNetwork(cpuBackend(), 5);
    expect(reference.at(-1)).toBeLessThan(reference[0]);
    expect(losses).toHaveLength(5);
    for (const [step, loss] of losses.entries()) expect(loss).toBeCloseTo(reference[step], 3);
  });

  test("half precision, which it lacks, is refused with what to do", async () => {
    const compiling = compile(backend!, { x: f32(2) }, ({ x }) => ({ y: x.cast("f16").cast("f32") }));
    await expect(compiling).rejects.toThrow(/f16\[2\] castF16.*has no shader-f16.*Compute in float32/s);
  });

  test("the choice comes with what would be faster, and leaves the environment as it was", () => {
    expect(backend!.opened.hint).toMatch(/mesa-vulkan-drivers|NVIDIA/);
    expect(backend!.opened.subgroupSize).toBe(4);
    expect(process.env.VK_DRIVER_FILES).toBe(nowhere);
  });

  test("SwiftShader, asked for by name, opens beside the system's drivers", async () => {
    delete process.env.VK_DRIVER_FILES;
    const named = await openBackend({ device: "swiftshader" });
    expect(named.opened.kind).toBe("swiftshader");
    expect(process.env.VK_DRIVER_FILES).toBeUndefined();
    await named.close();
  });
});
