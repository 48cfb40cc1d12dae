/**
 * A plan made ready to run. Everything a run needs is made here: pipelines, one uniform buffer with the parameters
 * of all dispatches, bind groups, and a staging buffer per run in flight. A run only encodes and submits.
 */
import {
  BackendError,
  elementBytes,
  elementCount,
  type Plan,
  type PlanCall,
  type Program,
  RUNS_IN_FLIGHT,
} from "@guidance/tensor";
import type { OpenedDevice } from "./adapter/device.ts";
import { mapMode } from "./adapter/usage.ts";
import { waitQuietly } from "./adapter/wait.ts";
import type { Counters, Memory, WebGpuBuffer } from "./buffers.ts";
import type { BindingWindow, Dispatch } from "./kernels/dispatch.ts";
import type { KernelCache } from "./lowering.ts";
import type { Pipeline, PipelineCache } from "./pipelines.ts";
import { estimateSeconds, LONGEST_SUBMIT } from "./throughput.ts";

/** What programs share: the parts of the backend. */
export interface ProgramContext {
  readonly opened: OpenedDevice;
  readonly memory: Memory;
  readonly counters: Counters;
  readonly kernels: KernelCache;
  readonly pipelines: PipelineCache;
}

interface EncodedDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** Dispatches of one submit. */
type Batch = readonly EncodedDispatch[];

/** Where an output lies in a staging buffer. */
interface StagedOutput {
  readonly source: WebGpuBuffer;
  readonly bytes: number;
  readonly offset: number;
}

export class WebGpuProgram implements Program {
  readonly #context: ProgramContext;
  readonly #batches: readonly Batch[];
  readonly #outputs: readonly StagedOutput[];
  readonly #params: WebGpuBuffer;
  readonly #staging: readonly WebGpuBuffer[];
  readonly #idle: WebGpuBuffer[];
  readonly #waiting: ((staging: WebGpuBuffer) => void)[] = [];
  #running = 0;
  #closed = false;

  private constructor(
    context: ProgramContext,
    batches: readonly Batch[],
    outputs: readonly StagedOutput[],
    params: WebGpuBuffer,
    staging: readonly WebGpuBuffer[],
  ) {
    this.#context = context;
    this.#batches = batches;
    this.#outputs = outputs;
    this.#params = params;
    this.#staging = staging;
    this.#idle = [...staging];
  }

  /** `buffers[i]` holds `plan.buffers[i]`. Throws BackendError naming the kernel that could not be made. */
  static async prepare(plan: Plan, buffers: readonly WebGpuBuffer[], context: ProgramContext): Promise<WebGpuProgram> {
    const calls = plan.calls.map((call) => ({
      call,
      dispatches: context.kernels.generate(call.kernel, overwritesOf(call)).dispatches,
    }));
    const flat = calls.flatMap(({ call, dispatches }) => dispatches.map((dispatch) => ({ call, dispatch })));
    const pipelines = await Promise.all(
      flat.map(({ call, dispatch }) => context.pipelines.pipeline(dispatch, call.kernel.label)),
    );

    const { device, limits } = context.opened;
    const align = limits.minUniformBufferOffsetAlignment;
    const offsets: number[] = [];
    let size = 0;
    for (const { dispatch } of flat) {
      offsets.push(size);
      size += Math.ceil(dispatch.params.byteLength / align) * align;
    }
    const made: WebGpuBuffer[] = [];
    try {
      const params = context.memory.uniform(size, "kernel parameters");
      made.push(params);
      const words = new Uint32Array(params.bytes / 4);
      flat.forEach(({ dispatch }, i) => {
        words.set(dispatch.params, offsets[i] / 4);
      });
      device.pushErrorScope("validation");
      device.queue.writeBuffer(params.gpu, 0, words);
      const encoded = flat.map(({ call, dispatch }, i): EncodedDispatch => {
        const paramsOf = { buffer: params.gpu, offset: offsets[i], size: dispatch.params.byteLength };
        const bindGroup = createBindGroup(context, {
          plan,
          call,
          dispatch,
          pipeline: pipelines[i],
          params: paramsOf,
          buffers,
        });
        return { pipeline: pipelines[i].gpu, bindGroup, workgroups: dispatch.workgroups };
      });
      const error = await waitQuietly(device.popErrorScope());
      if (error)
        throw new BackendError({
          what: "prepare",
          facts: `${context.opened.description} refused a kernel's buffers: ${error.message}`,
        });
      const outputs = stageOutputs(plan, buffers);
      const bytes = outputs.reduce((sum, output) => Math.max(sum, output.offset + output.bytes), 0);
      const staging = Array.from({ length: RUNS_IN_FLIGHT }, (_, i) => {
        const buffer = context.memory.staging(bytes, `outputs ${i}`);
        made.push(buffer);
        return buffer;
      });
      const cuts = calls.map(({ call, dispatches }) => ({
        seconds: estimateSeconds(call.kernel, context.opened.kind),
        count: dispatches.length,
      }));
      return new WebGpuProgram(context, cutBatches(encoded, cuts), outputs, params, staging);
    } catch (error) {
      for (const buffer of made) context.memory.free(buffer);
      throw error;
    }
  }

  /** Queues one run; while all staging buffers are in use, the next run is queued when one is free. */
  async run(): Promise<ArrayBuffer[]> {
    this.#check();
    // nothing is awaited before the submit if a staging buffer is free: runs and writes keep the order of the calls
    const staging = this.#idle.pop();
    if (staging) return this.#start(staging);
    return this.#start(await new Promise<WebGpuBuffer>((resolve) => this.#waiting.push(resolve)));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#running === 0) this.#free();
  }

  #free(): void {
    const { memory } = this.#context;
    for (const buffer of [this.#params, ...this.#staging]) memory.free(buffer);
  }

  #check(): void {
    const { opened } = this.#context;
    const facts = opened.lostReason
      ? `${opened.description} was lost: ${opened.lostReason}`
      : this.#closed
        ? "it is closed"
        : undefined;
    if (facts) throw new BackendError({ what: "run", facts, expected: "an open program on a working device" });
  }

  /** Encodes and submits now; resolves when the outputs are read back. */
  async #start(staging: WebGpuBuffer): Promise<ArrayBuffer[]> {
    this.#running += 1;
    try {
      this.#check();
      this.#submit(staging);
      return await this.#read(staging);
    } finally {
      this.#running -= 1;
      const next = this.#waiting.shift();
      if (next) next(staging);
      else this.#idle.push(staging);
      if (this.#closed && this.#running === 0 && !next) this.#free();
    }
  }

  #submit(staging: WebGpuBuffer): void {
    const { opened, counters } = this.#context;
    const { device } = opened;
    this.#batches.forEach((batch, i) => {
      const encoder = device.createCommandEncoder();
      if (batch.length > 0) {
        const pass = encoder.beginComputePass();
        for (const { pipeline, bindGroup, workgroups } of batch) {
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, bindGroup);
          pass.dispatchWorkgroups(...workgroups);
        }
        pass.end();
      }
      if (i === this.#batches.length - 1) {
        for (const { source, bytes, offset } of this.#outputs) {
          if (bytes > 0) encoder.copyBufferToBuffer(source.gpu, 0, staging.gpu, offset, bytes);
        }
      }
      device.queue.submit([encoder.finish()]);
      counters.submits += 1;
    });
  }

  async #read(staging: WebGpuBuffer): Promise<ArrayBuffer[]> {
    const { opened } = this.#context;
    try {
      // mapping waits for the copies into the buffer only: without any, for the queue
      if (this.#outputs.every(({ bytes }) => bytes === 0)) await waitQuietly(opened.device.queue.onSubmittedWorkDone());
      await waitQuietly(staging.gpu.mapAsync(mapMode.read));
    } catch (cause) {
      this.#check();
      throw opened.takeError() ?? cause;
    }
    const bytes = this.#outputs.map((output) => staging.gpu.getMappedRange(output.offset, output.bytes).slice(0));
    staging.gpu.unmap();
    const error = opened.takeError();
    if (error) throw new BackendError({ what: "run", facts: error.message });
    return bytes;
  }
}

/** The kernel input that each output overwrites: the one that shares its buffer. */
function overwritesOf({ inputs, outputs }: PlanCall): (number | undefined)[] {
  return outputs.map((buffer) => {
    const input = inputs.indexOf(buffer);
    return input < 0 ? undefined : input;
  });
}

interface BindOptions {
  readonly plan: Plan;
  readonly call: PlanCall;
  readonly dispatch: Dispatch;
  readonly pipeline: Pipeline;
  readonly params: GPUBufferBinding;
  readonly buffers: readonly WebGpuBuffer[];
}

function createBindGroup({ opened, counters }: ProgramContext, options: BindOptions): GPUBindGroup {
  const { plan, call, dispatch, pipeline, params, buffers } = options;
  const resource = ({ buffer, offset, size }: BindingWindow): GPUBufferBinding => {
    if (buffer.kind === "scalars") return { buffer: buffers[plan.scalarsBuffer].gpu };
    const table = { input: call.inputs, output: call.outputs, scratch: call.scratch }[buffer.kind];
    return { buffer: buffers[table[buffer.index]].gpu, offset, size };
  };
  counters.bindGroups += 1;
  return opened.device.createBindGroup({
    label: call.kernel.label,
    layout: pipeline.layout,
    entries: [...dispatch.bindings.map(resource), params].map((bound, binding) => ({ binding, resource: bound })),
  });
}

/** Where each output goes in a staging buffer; ranges for reading start at multiples of 8. */
function stageOutputs(plan: Plan, buffers: readonly WebGpuBuffer[]): StagedOutput[] {
  let offset = 0;
  return plan.outputs.map(({ buffer, type }) => {
    const bytes = Math.ceil((elementCount(type.shape) * elementBytes(type.dtype, "float32")) / 4) * 4;
    const output = { source: buffers[buffer], bytes, offset };
    offset += Math.ceil(bytes / 8) * 8;
    return output;
  });
}

/** Cuts the dispatches into submits at kernel boundaries, by estimated time. At least one, for the copies. */
export function cutBatches<T>(
  encoded: readonly T[],
  calls: readonly { readonly seconds: number; readonly count: number }[],
): T[][] {
  const batches: T[][] = [[]];
  let seconds = 0;
  let next = 0;
  for (const call of calls) {
    if (seconds > 0 && seconds + call.seconds > LONGEST_SUBMIT) {
      batches.push([]);
      seconds = 0;
    }
    seconds += call.seconds;
    batches.at(-1)?.push(...encoded.slice(next, next + call.count));
    next += call.count;
  }
  return batches;
}
