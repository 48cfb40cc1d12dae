// What the smoke test runs inside the page: opens the browser's own adapter and doubles a vector on it.

import { bufferUsage, mapMode, openDevice, waitQuietly } from "@guidance/shaders";

const doubling = `
  @group(0) @binding(0) var<storage, read_write> values: array<f32>;
  @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x < arrayLength(&values)) { values[id.x] *= 2; }
  }`;

export interface Report {
  /** The adapter, in one line. */
  readonly adapter: string;
  /** The first `count` even numbers, as computed by the shader. */
  readonly doubled: number[];
  /** What WebGPU complained about, if anything. */
  readonly error: string | undefined;
}

/** How many numbers are doubled: not a multiple of the workgroup size, so that the last one is cut. */
export const count = 100;

export default async function program(): Promise<Report> {
  const opened = await openDevice();
  const { device } = opened;
  const { storage, copySource, copyDestination, mapRead } = bufferUsage;
  const size = count * 4;
  const buffer = device.createBuffer({ size, usage: storage | copySource | copyDestination });
  const staging = device.createBuffer({ size, usage: copyDestination | mapRead });
  device.queue.writeBuffer(
    buffer,
    0,
    Float32Array.from({ length: count }, (_, index) => index),
  );
  const module = device.createShaderModule({ code: doubling });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
  const layout = pipeline.getBindGroupLayout(0);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] }));
  pass.dispatchWorkgroups(Math.ceil(count / 64));
  pass.end();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await waitQuietly(staging.mapAsync(mapMode.read));
  const doubled = [...new Float32Array(staging.getMappedRange())];
  const report = { adapter: opened.description, doubled, error: opened.takeError()?.message };
  opened.close();
  return report;
}
