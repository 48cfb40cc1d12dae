/**
 * Mesa's software driver compiles a shader when it is first dispatched, one after another on one core, and keeps the
 * result on the disk. A first run that takes long is busy with that. From then on a second device compiles the same
 * shaders from the last one backwards, on another core; where the two meet, the driver finds the rest on the disk.
 */
import type { OpenedDevice } from "./adapter/device.ts";
import { openDevice } from "./adapter/open.ts";
import { bufferUsage } from "./adapter/usage.ts";
import { waitQuietly } from "./adapter/wait.ts";
import { newCounters } from "./buffers.ts";
import type { Dispatch } from "./kernels/dispatch.ts";
import { PipelineCache } from "./pipelines.ts";

/** Milliseconds after which a first run is one that compiles: more than opening a second device costs. */
const PATIENCE = 500;
/** With fewer shaders left a second device is not worth opening. */
const FEWEST_SHADERS = 8;

/** Runs `first`, with help if it compiles for long. What goes wrong in the help is no error of the run's. */
export async function helpFirstRun<T>(
  { kind }: Pick<OpenedDevice, "kind">,
  dispatches: readonly Dispatch[],
  first: () => Promise<T>,
  open: () => Promise<OpenedDevice> = () => openDevice({ device: "lavapipe" }),
): Promise<T> {
  if (kind !== "lavapipe" || isCacheDisabled() || dispatches.length < FEWEST_SHADERS) return first();
  let running = true;
  const timer = setTimeout(() => compileBackwards(dispatches, () => running, open).catch(() => {}), PATIENCE);
  try {
    return await first();
  } finally {
    running = false;
    clearTimeout(timer);
  }
}

/** Without a cache on the disk nothing that another device compiles is found. */
const isCacheDisabled = (): boolean => /^(1|true)$/i.test(process.env.MESA_SHADER_CACHE_DISABLE ?? "");

async function compileBackwards(
  dispatches: readonly Dispatch[],
  wanted: () => boolean,
  open: () => Promise<OpenedDevice>,
): Promise<void> {
  const opened = await open();
  try {
    const pipelines = new PipelineCache(opened, newCounters());
    for (const dispatch of [...dispatches].reverse()) {
      if (!wanted()) return;
      await dispatchOnce(opened, pipelines, dispatch);
    }
  } finally {
    opened.close();
  }
}

/** Runs one workgroup of a dispatch over next to no memory: reads past the end of a binding are harmless. */
async function dispatchOnce({ device }: OpenedDevice, pipelines: PipelineCache, dispatch: Dispatch): Promise<void> {
  const pipeline = await pipelines.pipeline(dispatch, "first run");
  const buffers = dispatch.bindings.map(() => device.createBuffer({ size: 16, usage: bufferUsage.storage }));
  const { params } = dispatch;
  const uniform = device.createBuffer({
    size: Math.ceil(params.byteLength / 16) * 16,
    usage: bufferUsage.uniform | bufferUsage.copyDestination,
  });
  device.queue.writeBuffer(uniform, 0, params as Uint32Array<ArrayBuffer>);
  const entries = [...buffers, uniform].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipelines.bindGroupLayout(dispatch), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  device.queue.submit([encoder.finish()]);
  await waitQuietly(device.queue.onSubmittedWorkDone());
  for (const buffer of [...buffers, uniform]) buffer.destroy();
}
