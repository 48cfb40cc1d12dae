/**
 * The CPU reference backend: runs each op's `reference` (blocked versions for matmul and convolutions) and
 * interprets fused bodies. Its float64 mode is the oracle for deep nets, which are chaotic in float32.
 */
import { type Kernel, operandsOf } from "../compile/kernel.ts";
import type { Plan, PlanCall } from "../compile/plan.ts";
import { formatBytes } from "../compile/plan.ts";
import { allocateArray, type Precision, type TypedArray, viewAs } from "../dtype.ts";
import { BackendError, LimitError } from "../errors.ts";
import { floatFromHalf, halfFromFloat } from "../half.ts";
import { elementCount } from "../shape.ts";
import type { Backend, BackendLimits, DeviceBuffer, Lowering, Program } from "./backend.ts";
import { runKernel } from "./cpu-kernel.ts";

/** Precision and loops of the CPU backend. */
export interface CpuOptions {
  readonly precision?: Precision;
  /** Most bytes all buffers together may take. */
  readonly budgetBytes?: number;
  /** Fills temporaries with NaN after their last reader, so that a planner bug cannot hide. */
  readonly poison?: boolean;
}

interface CpuBuffer extends DeviceBuffer {
  readonly data: ArrayBuffer;
}

interface CpuProgram extends Program {
  run(): ArrayBuffer[];
}

/** As many inputs and outputs as common GPUs bind, so that CPU plans look like GPU plans. */
const MAX_KERNEL_BUFFERS = 16;

/** Node's largest ArrayBuffer is about this. */
const MAX_BUFFER_BYTES = 2 ** 33;

class CpuBackend implements Backend {
  readonly name: string;
  readonly precision: Precision;
  readonly limits: BackendLimits;
  liveBytes = 0;
  readonly #poison: boolean;
  readonly #closings = new Set<() => void>();
  #closed = false;

  constructor({ precision = "float32", budgetBytes = Number.POSITIVE_INFINITY, poison = false }: CpuOptions) {
    this.name = `cpu ${precision}`;
    this.precision = precision;
    this.limits = {
      budgetBytes,
      maxBufferBytes: MAX_BUFFER_BYTES,
      maxWholeBytes: MAX_BUFFER_BYTES,
      maxKernelBuffers: MAX_KERNEL_BUFFERS,
      halves: true,
    };
    this.#poison = poison;
  }

  lower(kernel: Kernel): Lowering {
    return { dispatches: 1, scratch: [], family: operandsOf(kernel).length > 0 ? "blocked" : "loops" };
  }

  allocate(bytes: number, label: string): DeviceBuffer {
    if (this.#closed)
      throw new BackendError({ what: "allocate", facts: `${this.name} is closed`, expected: "an open backend" });
    if (this.liveBytes + bytes > this.limits.budgetBytes) {
      throw new LimitError({
        what: "allocate",
        facts: `"${label}" needs ${formatBytes(bytes)}, ${formatBytes(this.liveBytes)} of ${formatBytes(this.limits.budgetBytes)} are in use`,
        hint: "Use a smaller batch or model",
      });
    }
    this.liveBytes += bytes;
    // whole 8-byte words, so that every dtype's view fits
    const buffer: CpuBuffer = { bytes, label, data: new ArrayBuffer(Math.ceil(bytes / 8) * 8) };
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    this.liveBytes -= buffer.bytes;
  }

  write(buffer: DeviceBuffer, data: ArrayBufferView): void {
    new Uint8Array((buffer as CpuBuffer).data).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  async read(buffer: DeviceBuffer, begin = 0, bytes = buffer.bytes - begin): Promise<ArrayBuffer> {
    return (buffer as CpuBuffer).data.slice(begin, begin + bytes);
  }

  begin(): void {}

  async prepare(plan: Plan, buffers: readonly DeviceBuffer[]): Promise<Program> {
    const arrays = buffers.map((buffer) => (buffer as CpuBuffer).data);
    const scalars = this.#scalars(plan, arrays);
    const poisoned = this.#poison ? deadAfter(plan) : plan.calls.map(() => []);
    const steps = plan.calls.map((call, i) => ({ run: this.#bind(call, arrays, scalars), dead: poisoned[i] }));
    const program: CpuProgram = {
      run: () => {
        for (const { run, dead } of steps) {
          run();
          // all bits set: NaN for floats, far out of range for integers
          for (const buffer of dead) new Uint8Array(arrays[buffer]).fill(0xff);
        }
        return plan.outputs.map(({ buffer }) => arrays[buffer].slice(0));
      },
      close() {},
    };
    return program;
  }

  async run(program: Program): Promise<ArrayBuffer[]> {
    return (program as CpuProgram).run();
  }

  onClose(closing: () => void): () => void {
    this.#closings.add(closing);
    return () => this.#closings.delete(closing);
  }

  async close(): Promise<void> {
    for (const closing of [...this.#closings]) closing();
    this.#closings.clear();
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Reads host scalar `slot`: always float64 cells in float64 mode, else 32-bit cells by dtype. */
  #scalars(plan: Plan, arrays: readonly ArrayBuffer[]): (slot: number) => number {
    const cells = arrays[plan.scalarsBuffer];
    if (!cells) return () => 0;
    const view = new DataView(cells);
    return (slot) => {
      if (this.precision === "float64") return view.getFloat64(8 * slot, true);
      return plan.scalars[slot] === "f32" ? view.getFloat32(4 * slot, true) : view.getUint32(4 * slot, true);
    };
  }

  #bind(
    { kernel, inputs, outputs }: PlanCall,
    arrays: readonly ArrayBuffer[],
    scalars: (slot: number) => number,
  ): () => void {
    const view = (buffer: number, { shape, dtype }: Kernel["inputs"][number]): TypedArray =>
      viewAs(arrays[buffer], dtype, this.precision, elementCount(shape));
    const sources = kernel.inputs.map((type, i) => view(inputs[i], type));
    const targets = kernel.outputs.map(({ type }, i) => view(outputs[i], type));
    // kernels compute with floats: halves are unpacked before and packed after
    const unpacked = (stored: TypedArray) =>
      stored instanceof Uint16Array ? allocateArray("f32", this.precision, stored.length) : stored;
    const read = sources.map(unpacked);
    const written = targets.map(unpacked);
    return () => {
      sources.forEach((stored, i) => {
        if (stored !== read[i]) for (let e = 0; e < stored.length; e++) read[i][e] = floatFromHalf(stored[e]);
      });
      runKernel(kernel, read, written, { precision: this.precision, scalars });
      targets.forEach((stored, i) => {
        if (stored !== written[i]) for (let e = 0; e < stored.length; e++) stored[e] = halfFromFloat(written[i][e]);
      });
    };
  }
}

/** For each call the temporaries nobody reads after it before they are written again. */
function deadAfter(plan: Plan): number[][] {
  const kept = new Set(plan.outputs.map(({ buffer }) => buffer));
  const live = new Set(kept);
  const dead: number[][] = plan.calls.map(() => []);
  for (let i = plan.calls.length - 1; i >= 0; i--) {
    const { inputs, outputs } = plan.calls[i];
    for (const buffer of new Set([...inputs, ...outputs])) {
      if (plan.buffers[buffer].role === "temporary" && !live.has(buffer)) dead[i].push(buffer);
    }
    for (const buffer of outputs) live.delete(buffer);
    for (const buffer of inputs) live.add(buffer);
  }
  return dead;
}

/** Opens a CPU backend. */
export function cpuBackend(options: CpuOptions = {}): Backend {
  return new CpuBackend(options);
}

let shared: Backend | undefined;

/** The backend of eager `data()` when nothing else says. */
export function sharedCpuBackend(): Backend {
  shared ??= cpuBackend();
  return shared;
}
