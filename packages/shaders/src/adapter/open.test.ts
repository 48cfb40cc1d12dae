import { afterEach, describe, expect, test, vi } from "vitest";
import type { OpenedDevice } from "./device.ts";
import { openDevice } from "./open.ts";
import { bufferUsage, mapMode } from "./usage.ts";
import { waitQuietly } from "./wait.ts";

afterEach(() => vi.unstubAllEnvs());

const doubling = `
  @group(0) @binding(0) var<storage, read_write> values: array<f32>;
  @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { values[id.x] *= 2; }`;

/** Doubles four numbers on the device. */
async function double({ device }: OpenedDevice, values: number[]): Promise<number[]> {
  const { storage, copySource, copyDestination, mapRead } = bufferUsage;
  const buffer = device.createBuffer({ size: 16, usage: storage | copySource | copyDestination });
  const staging = device.createBuffer({ size: 16, usage: copyDestination | mapRead });
  device.queue.writeBuffer(buffer, 0, Float32Array.from(values));
  const module = device.createShaderModule({ code: doubling });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
  const layout = pipeline.getBindGroupLayout(0);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, 16);
  device.queue.submit([encoder.finish()]);
  await waitQuietly(staging.mapAsync(mapMode.read));
  const result = [...new Float32Array(staging.getMappedRange())];
  staging.unmap();
  return result;
}

describe("openDevice", () => {
  test("runs a shader on the best adapter, with the adapter's own limits", async () => {
    const opened = await openDevice();
    expect(await double(opened, [1, -2, 0.5, 3e8])).toEqual([2, -4, 1, 6e8]);
    expect(opened.description).toMatch(new RegExp(`^${opened.kind}: \\S+`));
    expect(opened.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
    expect(opened.takeError()).toBeUndefined();
    opened.close();
  });

  test("collects the errors of WebGPU as one error that names the cause", async () => {
    const opened = await openDevice();
    const module = opened.device.createShaderModule({ label: "broken kernel", code: "fn main( {}" });
    opened.device.createComputePipeline({ layout: "auto", compute: { module } });
    await waitQuietly(opened.device.queue.onSubmittedWorkDone());
    expect(opened.takeError()?.message).toMatch(/reported an error on .*broken kernel.*\(and \d+ more/s);
    expect(opened.takeError()).toBeUndefined();
    opened.close();
  });

  test("says that a closed device is closed; closing twice is harmless", async () => {
    const opened = await openDevice();
    expect(opened.lostReason).toBeUndefined();
    opened.close();
    opened.close();
    expect(opened.lostReason).toBe("it was closed");
    expect(await opened.lost).toMatch(/destroyed/);
  });

  test("takes its device from GUIDANCE_DEVICE and refuses an unknown one", async () => {
    vi.stubEnv("GUIDANCE_DEVICE", "toaster");
    await expect(openDevice()).rejects.toThrow(
      'GUIDANCE_DEVICE is "toaster", which is no WebGPU device. Expected one of: auto, gpu, lavapipe, swiftshader.',
    );
  });
});
