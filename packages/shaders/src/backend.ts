/**
 * The WebGPU backend: memory, kernels and programs of one device behind the tensor package's interface.
 */
import {
  type Backend,
  BackendError,
  type BackendLimits,
  type DeviceBuffer,
  type Kernel,
  type Lowering,
  memoryBudget,
  type Overwrites,
  type Plan,
  type Program,
} from "@guidance/tensor";
import type { OpenedDevice } from "./adapter/device.ts";
import { type OpenDeviceOptions, openDevice } from "./adapter/open.ts";
import { mapMode } from "./adapter/usage.ts";
import { waitQuietly } from "./adapter/wait.ts";
import { type Counters, Memory, newCounters, type WebGpuBuffer } from "./buffers.ts";
import { beginPlan, type ProgramContext } from "./encode.ts";
import { choicesName } from "./kernels/choices.ts";
import type { DeviceTraits } from "./kernels/dispatch.ts";
import { KernelCache } from "./lowering.ts";
import { PipelineCache } from "./pipelines.ts";
import { type KernelTimes, profilePlan } from "./profile.ts";
import { WebGpuProgram } from "./program.ts";
import { type TraitOptions, traitsOf } from "./traits.ts";
import { type TunedKernel, tunePlan } from "./tune.ts";

/** What a backend may take, and which kernels it uses. */
export interface BackendOptions extends TraitOptions {
  /** Most bytes all buffers together may take; default 70 % of free memory on software devices, else unlimited. */
  readonly budgetBytes?: number;
}

/** The backend that runs plans on a WebGPU device. */
export class WebGpuBackend implements Backend {
  readonly name: string;
  readonly precision = "float32";
  readonly limits: BackendLimits;
  /** The device; the backend owns it and closes it. */
  readonly opened: OpenedDevice;
  /** What kernels know about the device. */
  readonly traits: DeviceTraits;
  /** Objects created so far. */
  readonly counters: Counters = newCounters();
  readonly #memory: Memory;
  readonly #kernels: KernelCache;
  readonly #context: ProgramContext;
  readonly #closings = new Set<() => void>();
  #closed = false;

  constructor(opened: OpenedDevice, options: BackendOptions = {}) {
    this.opened = opened;
    this.traits = traitsOf(opened, options);
    const { choices } = this.traits;
    // other kernels may round otherwise: the name says so wherever devices are compared
    this.name = `webgpu ${opened.description}${choices?.size ? `, tuned ${choicesName(choices)}` : ""}`;
    const budgetBytes = options.budgetBytes ?? (this.traits.software ? memoryBudget() : Infinity);
    this.limits = {
      budgetBytes,
      maxBufferBytes: opened.limits.maxBufferSize,
      maxWholeBytes: this.traits.maxBindingBytes,
      maxKernelBuffers: opened.limits.maxStorageBuffersPerShaderStage,
      halves: opened.features.has("shader-f16"),
    };
    this.#memory = new Memory(opened, this.counters, budgetBytes);
    this.#kernels = new KernelCache(this.traits);
    this.#context = {
      opened,
      memory: this.#memory,
      counters: this.counters,
      kernels: this.#kernels,
      pipelines: new PipelineCache(opened, this.counters),
    };
  }

  get liveBytes(): number {
    return this.#memory.liveBytes;
  }

  lower(kernel: Kernel, overwrites: Overwrites = kernel.outputs.map(() => undefined)): Lowering {
    const { dispatches, scratch, family } = this.#kernels.generate(kernel, overwrites);
    return { dispatches: dispatches.length, scratch, family };
  }

  /** A storage buffer of zeros; throws LimitError above the budget or the largest buffer of the device. */
  allocate(bytes: number, label: string): DeviceBuffer {
    this.#check("allocate");
    return this.#memory.storage(bytes, label);
  }

  /** Frees a buffer that no program under way uses. */
  free(buffer: DeviceBuffer): void {
    this.#memory.free(buffer as WebGpuBuffer);
  }

  write(buffer: DeviceBuffer, data: ArrayBufferView): void {
    this.#check("write");
    if (data.byteLength > buffer.bytes) {
      throw new BackendError({
        what: "write",
        facts: `${data.byteLength} bytes were given for "${buffer.label}", which holds ${buffer.bytes}`,
      });
    }
    this.opened.device.queue.writeBuffer((buffer as WebGpuBuffer).gpu, 0, wholeWords(data));
  }

  async read(buffer: DeviceBuffer, begin = 0, bytes = buffer.bytes - begin): Promise<ArrayBuffer> {
    this.#check("read");
    const { device } = this.opened;
    const staging = this.#memory.staging(bytes, `read of ${buffer.label}`);
    try {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer((buffer as WebGpuBuffer).gpu, begin, staging.gpu, 0, bytes);
      device.queue.submit([encoder.finish()]);
      this.counters.submits += 1;
      await waitQuietly(staging.gpu.mapAsync(mapMode.read));
      return staging.gpu.getMappedRange().slice(0, bytes);
    } catch (cause) {
      throw await this.opened.explain("read", cause);
    } finally {
      this.#memory.free(staging);
    }
  }

  begin(plan: Plan): void {
    this.#check("begin");
    beginPlan(plan, this.#context);
  }

  async prepare(plan: Plan, buffers: readonly DeviceBuffer[]): Promise<Program> {
    this.#check("prepare");
    return WebGpuProgram.prepare(plan, buffers as readonly WebGpuBuffer[], this.#context);
  }

  run(program: Program): Promise<ArrayBuffer[]> {
    return (program as WebGpuProgram).run();
  }

  /**
   * Times every call of a plan on buffers of its own, with made-up values: by timestamp queries where the device has
   * them, else by a submit for each call. Seconds are medians over `rounds` runs; `announce` is told of each run.
   */
  async profile(plan: Plan, rounds = 5, announce?: (done: number, total: number) => void): Promise<KernelTimes> {
    this.#check("profile");
    return profilePlan(plan, this.#context, rounds, announce);
  }

  /** Times the alternatives of every kernel of a plan that has some; `announce` is told each as it is found. */
  async tune(plan: Plan, announce?: (tuned: TunedKernel, done: number, total: number) => void): Promise<TunedKernel[]> {
    this.#check("tune");
    return tunePlan(plan, this.traits, this.#context, announce);
  }

  onClose(closing: () => void): () => void {
    this.#closings.add(closing);
    return () => this.#closings.delete(closing);
  }

  /** Closes programs, buffers and the device; further calls do nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const closing of [...this.#closings]) closing();
    this.#closings.clear();
    this.opened.close();
  }

  /** The same as close. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(what: string): void {
    if (this.#closed) throw new BackendError({ what, facts: `${this.name} is closed`, expected: "an open backend" });
    this.opened.check(what);
  }
}

/** The bytes as WebGPU takes them: a multiple of four, in memory that is not shared. */
function wholeWords(data: ArrayBufferView): ArrayBufferView<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = data;
  if (buffer instanceof ArrayBuffer && byteLength % 4 === 0) return data as ArrayBufferView<ArrayBuffer>;
  const padded = new Uint8Array(Math.ceil(byteLength / 4) * 4);
  padded.set(new Uint8Array(buffer, byteOffset, byteLength));
  return padded;
}

/** A backend on an open device, which it owns from now on. */
export function createBackend(opened: OpenedDevice, options: BackendOptions = {}): WebGpuBackend {
  return new WebGpuBackend(opened, options);
}

/**
 * Opens the best adapter of this machine, or the one asked for, and makes a backend of it.
 *
 * @throws Error when there is no such adapter; the message says what to install
 */
export async function openBackend(options: BackendOptions & OpenDeviceOptions = {}): Promise<WebGpuBackend> {
  return createBackend(await openDevice(options), options);
}
