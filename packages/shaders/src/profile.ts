/**
 * Measures what each call of a plan takes, one after another as in a run. Nothing of it is part of an ordinary run: the
 * query set, the passes and the buffers are made here and freed again.
 */
import type { DType, Plan, PlanCall } from "@guidance/tensor";
import { bufferUsage, mapMode } from "./adapter/usage.ts";
import { waitQuietly } from "./adapter/wait.ts";
import type { WebGpuBuffer } from "./buffers.ts";
import { dispatchAll, type EncodedDispatch, encodePlan, type ProgramContext } from "./encode.ts";
import { WebGpuProgram } from "./program.ts";

/** When a call of the plan ran. */
export interface KernelTime {
  readonly call: PlanCall;
  /** From the start of the step; those of submits lie one behind another. */
  readonly start: number;
  readonly seconds: number;
}

/** What the kernels of one plan take. */
export interface KernelTimes {
  /** `timestamps`: taken by the device. `submits`: by the host, each call on its own, waiting included. */
  readonly method: "timestamps" | "submits";
  /** A whole run as a program runs it, from its submit until its outputs are read: median seconds on the host. */
  readonly step: number;
  readonly calls: readonly KernelTime[];
}

/** Queries of one set; a pass takes two. */
const MOST_QUERIES = 4096;

type Calls = readonly (readonly EncodedDispatch[])[];
type Interval = readonly [start: number, end: number];

export async function profilePlan(
  plan: Plan,
  context: ProgramContext,
  rounds: number,
  announce?: (done: number, total: number) => void,
): Promise<KernelTimes> {
  const total = 2 * rounds + 1;
  let done = 0;
  const ran = () => announce?.(++done, total);
  const buffers: WebGpuBuffer[] = [];
  try {
    for (const { bytes, label } of plan.buffers) buffers.push(context.memory.storage(bytes, label));
    fillBuffers(plan, buffers, context);
    const { calls, params } = await encodePlan(plan, buffers, context);
    buffers.push(params);
    const method = context.opened.features.has("timestamp-query") ? "timestamps" : "submits";
    const measure = method === "timestamps" ? measureByTimestamps : measureBySubmits;
    // the first round compiles shaders
    await measure(calls, context);
    ran();
    const runs: Interval[][] = [];
    for (let round = 0; round < rounds; round++) {
      runs.push(await measure(calls, context));
      ran();
    }
    const times = plan.calls.map((call, i) => {
      const seconds = median(runs.map((run) => run[i][1] - run[i][0]));
      return { call, start: median(runs.map((run) => run[i][0] - run[0][0])), seconds };
    });
    const program = await WebGpuProgram.prepare(plan, buffers.slice(0, plan.buffers.length), context);
    const steps: number[] = [];
    try {
      for (let round = 0; round < rounds; round++) {
        const start = performance.now();
        await program.run();
        steps.push((performance.now() - start) / 1000);
        ran();
      }
    } finally {
      program.close();
    }
    return { method, step: median(steps), calls: times };
  } finally {
    for (const buffer of buffers) context.memory.free(buffer);
  }
}

/** A pass for each call, with timestamps at its ends. */
async function measureByTimestamps(calls: Calls, { opened: { device } }: ProgramContext): Promise<Interval[]> {
  const intervals: Interval[] = [];
  const count = Math.min(MOST_QUERIES, 2 * calls.length);
  const querySet = device.createQuerySet({ type: "timestamp", count, label: "profile" });
  const usage = bufferUsage.queryResolve | bufferUsage.copySource;
  const resolved = device.createBuffer({ size: 8 * count, usage, label: "profile" });
  const staging = device.createBuffer({
    size: 8 * count,
    usage: bufferUsage.mapRead | bufferUsage.copyDestination,
    label: "profile",
  });
  try {
    for (let from = 0; from < calls.length; from += count / 2) {
      const part = calls.slice(from, from + count / 2);
      const encoder = device.createCommandEncoder();
      part.forEach((dispatches, i) => {
        const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
        const pass = encoder.beginComputePass({ timestampWrites });
        dispatchAll(pass, dispatches);
        pass.end();
      });
      encoder.resolveQuerySet(querySet, 0, 2 * part.length, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16 * part.length);
      device.queue.submit([encoder.finish()]);
      await waitQuietly(staging.mapAsync(mapMode.read));
      const nanoseconds = new BigUint64Array(staging.getMappedRange(0, 16 * part.length).slice(0));
      staging.unmap();
      const seconds = (i: number) => Number(nanoseconds[i]) / 1e9;
      part.forEach((_, i) => {
        intervals.push([seconds(2 * i), seconds(2 * i + 1)]);
      });
    }
  } finally {
    querySet.destroy();
    resolved.destroy();
    staging.destroy();
  }
  return intervals;
}

/** A submit for each call, timed by the host. */
async function measureBySubmits(calls: Calls, { opened: { device } }: ProgramContext): Promise<Interval[]> {
  const intervals: Interval[] = [];
  let now = 0;
  for (const dispatches of calls) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    dispatchAll(pass, dispatches);
    pass.end();
    const commands = encoder.finish();
    const start = performance.now();
    device.queue.submit([commands]);
    await waitQuietly(device.queue.onSubmittedWorkDone());
    const seconds = (performance.now() - start) / 1000;
    intervals.push([now, now + seconds]);
    now += seconds;
  }
  return intervals;
}

/** Bytes written at a time. */
const CHUNK = 1 << 20;

/** Small numbers in every float that a run reads before it writes it, zeros elsewhere: speed may depend on values. */
export function fillBuffers(
  { calls, buffers: planned }: Plan,
  buffers: readonly WebGpuBuffer[],
  context: ProgramContext,
): void {
  const dtypes = new Map<number, DType>();
  for (const { kernel, inputs } of calls) {
    inputs.forEach((buffer, i) => {
      if (!dtypes.has(buffer)) dtypes.set(buffer, kernel.inputs[i].dtype);
    });
  }
  const floats = Float32Array.from({ length: CHUNK / 4 }, (_, i) => ((i * 7919) % 10007) / 10007 / 10 + 0.01);
  const zeros = new Float32Array(CHUNK / 4);
  planned.forEach(({ role, bytes }, i) => {
    if (role === "temporary") return;
    const values = dtypes.get(i) === "f32" ? floats : zeros;
    for (let at = 0; at < bytes; at += CHUNK) {
      const size = Math.ceil(Math.min(CHUNK, bytes - at) / 4);
      context.opened.device.queue.writeBuffer(buffers[i].gpu, at, values, 0, size);
    }
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
