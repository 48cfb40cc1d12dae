/**
 * Device memory with a budget of our own. Drivers hand out far more than there is and never report exhaustion
 * (the process hangs or is killed), so every buffer is counted before it is created.
 */
import { type DeviceBuffer, formatBytes, LimitError } from "@guidance/tensor";
import type { OpenedDevice } from "./adapter/device.ts";
import { bufferUsage } from "./adapter/usage.ts";

/** Objects created since the backend was opened; tests assert that steps create none. */
export interface Counters {
  buffers: number;
  bindGroups: number;
  pipelines: number;
  layouts: number;
  shaderModules: number;
  submits: number;
}

export const newCounters = (): Counters => ({
  buffers: 0,
  bindGroups: 0,
  pipelines: 0,
  layouts: 0,
  shaderModules: 0,
  submits: 0,
});

export class WebGpuBuffer implements DeviceBuffer {
  readonly bytes: number;
  readonly label: string;
  readonly gpu: GPUBuffer;

  constructor(bytes: number, label: string, gpu: GPUBuffer) {
    this.bytes = bytes;
    this.label = label;
    this.gpu = gpu;
  }
}

/** Creates and counts buffers. */
export class Memory {
  readonly budgetBytes: number;
  readonly #opened: OpenedDevice;
  readonly #counters: Counters;
  #liveBytes = 0;

  constructor(opened: OpenedDevice, counters: Counters, budgetBytes: number) {
    this.#opened = opened;
    this.#counters = counters;
    this.budgetBytes = budgetBytes;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** A buffer that kernels read and write. */
  storage(bytes: number, label: string): WebGpuBuffer {
    return this.#create(bytes, label, bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyDestination);
  }

  uniform(bytes: number, label: string): WebGpuBuffer {
    return this.#create(bytes, label, bufferUsage.uniform | bufferUsage.copyDestination);
  }

  /** A buffer the host reads. */
  staging(bytes: number, label: string): WebGpuBuffer {
    return this.#create(bytes, label, bufferUsage.mapRead | bufferUsage.copyDestination);
  }

  free(buffer: WebGpuBuffer): void {
    this.#liveBytes -= buffer.bytes;
    buffer.gpu.destroy();
  }

  #create(bytes: number, label: string, usage: number): WebGpuBuffer {
    const { device, description, limits } = this.#opened;
    this.#opened.check("allocate");
    // whole words as WebGPU wants them; a vec4 view needs 16 bytes, and an empty tensor still needs a binding
    const size = Math.max(16, Math.ceil(bytes / 4) * 4);
    if (size > limits.maxBufferSize) {
      throw new LimitError({
        what: "allocate",
        facts: `"${label}" needs ${formatBytes(size)} and one buffer of ${description} holds at most ${formatBytes(limits.maxBufferSize)}`,
        hint: "Use a smaller batch or layer, or another device",
      });
    }
    if (this.#liveBytes + size > this.budgetBytes) {
      throw new LimitError({
        what: "allocate",
        facts: `"${label}" needs ${formatBytes(size)}, and ${formatBytes(this.#liveBytes)} of the budget of ${formatBytes(this.budgetBytes)} are in use`,
        hint: "Use a smaller batch or model, close what is no longer needed, or raise budgetBytes",
      });
    }
    const gpu = device.createBuffer({ size, usage, label });
    this.#counters.buffers += 1;
    this.#liveBytes += size;
    return new WebGpuBuffer(size, label, gpu);
  }
}
