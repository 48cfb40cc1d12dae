/**
 * A plan made ready to run. Everything a run needs is made here: pipelines, one uniform buffer with the parameters
 * of all dispatches, bind groups (encode.ts), and a staging buffer per run in flight. A run only encodes and submits.
 */
import { BackendError, elementBytes, elementCount, type Plan, type Program, RUNS_IN_FLIGHT } from "@guidance/tensor";
import { mapMode } from "./adapter/usage.ts";
import { waitQuietly } from "./adapter/wait.ts";
import type { WebGpuBuffer } from "./buffers.ts";
import { dispatchAll, type EncodedDispatch, encodePlan, type ProgramContext } from "./encode.ts";
import { helpFirstRun } from "./first-run.ts";
import type { Dispatch } from "./kernels/dispatch.ts";
import { estimateSeconds, LONGEST_SUBMIT } from "./throughput.ts";

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
  /** Dispatches that the driver may have to compile in the first run. */
  #fresh: readonly Dispatch[];
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
    fresh: readonly Dispatch[],
    outputs: readonly StagedOutput[],
    params: WebGpuBuffer,
    staging: readonly WebGpuBuffer[],
  ) {
    this.#context = context;
    this.#batches = batches;
    this.#fresh = fresh;
    this.#outputs = outputs;
    this.#params = params;
    this.#staging = staging;
    this.#idle = [...staging];
  }

  /** `buffers[i]` holds `plan.buffers[i]`. Throws BackendError naming the kernel that could not be made. */
  static async prepare(plan: Plan, buffers: readonly WebGpuBuffer[], context: ProgramContext): Promise<WebGpuProgram> {
    const { calls, fresh, params } = await encodePlan(plan, buffers, context);
    const made: WebGpuBuffer[] = [params];
    try {
      const outputs = stageOutputs(plan, buffers);
      const bytes = outputs.reduce((sum, output) => Math.max(sum, output.offset + output.bytes), 0);
      const staging = Array.from({ length: RUNS_IN_FLIGHT }, (_, i) => {
        const buffer = context.memory.staging(bytes, `outputs ${i}`);
        made.push(buffer);
        return buffer;
      });
      const cuts = calls.map((dispatches, i) => ({
        seconds: estimateSeconds(plan.calls[i].kernel, context.opened.kind),
        count: dispatches.length,
      }));
      return new WebGpuProgram(context, cutBatches(calls.flat(), cuts), fresh, outputs, params, staging);
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
    this.#context.opened.check("run");
    if (this.#closed) throw new BackendError({ what: "run", facts: "it is closed", expected: "an open program" });
  }

  /** Encodes and submits now; resolves when the outputs are read back. */
  async #start(staging: WebGpuBuffer): Promise<ArrayBuffer[]> {
    this.#running += 1;
    try {
      this.#check();
      this.#submit(staging);
      const fresh = this.#fresh;
      this.#fresh = [];
      return await helpFirstRun(this.#context.opened, fresh, () => this.#read(staging));
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
        dispatchAll(pass, batch);
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
      throw await opened.explain("run", cause);
    }
    const bytes = this.#outputs.map((output) => staging.gpu.getMappedRange(output.offset, output.bytes).slice(0));
    staging.gpu.unmap();
    const error = opened.takeError();
    if (error) throw new BackendError({ what: "run", facts: error.message });
    return bytes;
  }
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
    if (batches[batches.length - 1].length > 0 && seconds + call.seconds > LONGEST_SUBMIT) {
      batches.push([]);
      seconds = 0;
    }
    seconds += call.seconds;
    batches.at(-1)?.push(...encoded.slice(next, next + call.count));
    next += call.count;
  }
  return batches;
}
