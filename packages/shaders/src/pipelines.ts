/**
 * Compute pipelines, one per WGSL text, made concurrently and kept as long as the backend. Layouts are explicit and
 * shared: what a kernel binds is known before any shader is compiled.
 */
import { BackendError } from "@guidance/tensor";
import type { OpenedDevice } from "./adapter/device.ts";
import { waitQuietly } from "./adapter/wait.ts";
import type { Counters } from "./buffers.ts";
import type { Dispatch } from "./kernels/dispatch.ts";

/** `GPUShaderStage.COMPUTE`; the constant's name exists in browsers only. */
const COMPUTE_STAGE = 4;

interface Layout {
  readonly bindGroup: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

export class PipelineCache {
  readonly #opened: OpenedDevice;
  readonly #counters: Counters;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #claimed = new Set<string>();
  readonly #layouts = new Map<string, Layout>();

  constructor(opened: OpenedDevice, counters: Counters) {
    this.#opened = opened;
    this.#counters = counters;
  }

  /** Whether no plan had the shader of a dispatch before; the plan that asks now does. */
  claim({ shader }: Dispatch): boolean {
    const isFresh = !this.#claimed.has(shader);
    this.#claimed.add(shader);
    return isFresh;
  }

  /** The pipeline of a dispatch. `label` names the kernel in errors. */
  pipeline(dispatch: Dispatch, label: string): Promise<GPUComputePipeline> {
    const { shader } = dispatch;
    let pipeline = this.#pipelines.get(shader);
    if (!pipeline) {
      pipeline = this.#create(dispatch, label);
      this.#pipelines.set(shader, pipeline);
      // the caller sees the error; a later kernel with the same text tries again
      pipeline.catch(() => this.#pipelines.delete(shader));
    }
    return pipeline;
  }

  /** What a bind group for the dispatch has to look like. */
  bindGroupLayout(dispatch: Dispatch): GPUBindGroupLayout {
    return this.#layout(dispatch).bindGroup;
  }

  async #create(dispatch: Dispatch, label: string): Promise<GPUComputePipeline> {
    const { device } = this.#opened;
    const layout = this.#layout(dispatch);
    this.#counters.shaderModules += 1;
    this.#counters.pipelines += 1;
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code: dispatch.shader, label });
    const invalid = device.popErrorScope();
    const created = device.createComputePipelineAsync({
      label,
      layout: layout.pipeline,
      compute: { module, entryPoint: "main" },
    });
    const [error, result] = await waitQuietly(Promise.all([invalid, settled(created)]));
    if (error || "failure" in result) {
      this.#opened.check(`kernel "${label}"`);
      const reason = error?.message ?? ("failure" in result ? result.failure : "");
      throw new BackendError({
        what: `kernel "${label}"`,
        facts: `its shader was refused by ${this.#opened.description}: ${reason}`,
      });
    }
    return result.value;
  }

  #layout({ bindings }: Dispatch): Layout {
    const key = bindings.map(({ access }) => (access === "read" ? "r" : "w")).join("");
    let layout = this.#layouts.get(key);
    if (!layout) {
      const { device } = this.#opened;
      const entries: GPUBindGroupLayoutEntry[] = bindings.map(({ access }, binding) => ({
        binding,
        visibility: COMPUTE_STAGE,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" },
      }));
      entries.push({ binding: bindings.length, visibility: COMPUTE_STAGE, buffer: { type: "uniform" } });
      const bindGroup = device.createBindGroupLayout({ label: `bindings ${key}`, entries });
      layout = {
        bindGroup,
        pipeline: device.createPipelineLayout({ label: `bindings ${key}`, bindGroupLayouts: [bindGroup] }),
      };
      this.#counters.layouts += 2;
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}

/** A promise's result as a value, so that two can be awaited without losing either's error. */
function settled<T>(promise: Promise<T>): Promise<{ value: T } | { failure: string }> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ failure: error instanceof Error ? error.message : String(error) }),
  );
}
