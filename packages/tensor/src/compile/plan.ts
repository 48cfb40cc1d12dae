/**
 * A Plan: every kernel of a step in order, with the buffers it reads and writes. Plain data,
 * printable and hashable; peak bytes are known before anything runs.
 */
import type { DType, TensorType } from "../dtype.ts";
import { exactJson } from "../exact-json.ts";
import { type ConvSizes, convInputGradSizes, convSizes, convWeightGradSizes } from "../ops/conv2d.ts";
import type { CoreAttrs } from "../ops/index.ts";
import { matmulSizes } from "../ops/matmul.ts";
import { elementCount } from "../shape.ts";
import type { Kernel } from "./kernel.ts";

/**
 * - input: written before each run. - scalars: the host scalars, one 32-bit (or 64-bit float) cell each.
 * - variable: belongs to a Variable, lives on. - constant: written once. - temporary: reused within the run.
 */
export type BufferRole = "input" | "scalars" | "variable" | "constant" | "temporary";

/** A buffer of a plan. */
export interface PlanBuffer {
  readonly role: BufferRole;
  readonly bytes: number;
  readonly label: string;
}

/** One kernel of a plan and the buffers it works on. */
export interface PlanCall {
  readonly kernel: Kernel;
  /** Buffer of each kernel input; one that is also in `outputs` is overwritten in place. */
  readonly inputs: readonly number[];
  /** Buffer of each kernel output. */
  readonly outputs: readonly number[];
  /** Buffers the kernel may use while it runs. */
  readonly scratch: readonly number[];
  readonly family: string;
  readonly dispatches: number;
}

/** An output that the user declared, and where it lies. */
export interface PlanOutput {
  readonly name: string;
  readonly buffer: number;
  readonly type: TensorType;
}

/** Runs of one step that may be under way at once, each with staging of its own; the next waits. */
export const RUNS_IN_FLIGHT = 2;

/** Bytes of a plan by what holds them. `peak` = all of them together, staging of all runs in flight included. */
export interface PlanMemory {
  readonly variables: number;
  readonly inputs: number;
  readonly constants: number;
  readonly temporaries: number;
  readonly staging: number;
  readonly peak: number;
}

/** What a step will do: its kernels in order, its buffers and their bytes, before anything runs. Plain data. */
export class Plan {
  readonly buffers: readonly PlanBuffer[];
  readonly calls: readonly PlanCall[];
  /** Dtype of each host scalar. */
  readonly scalars: readonly DType[];
  /** Index of the scalars buffer, or -1. */
  readonly scalarsBuffer: number;
  readonly outputs: readonly PlanOutput[];
  readonly memory: PlanMemory;

  constructor(fields: Pick<Plan, "buffers" | "calls" | "scalars" | "scalarsBuffer" | "outputs" | "memory">) {
    this.buffers = fields.buffers;
    this.calls = fields.calls;
    this.scalars = fields.scalars;
    this.scalarsBuffer = fields.scalarsBuffer;
    this.outputs = fields.outputs;
    this.memory = fields.memory;
  }

  /** Identity of the plan: ops, shapes, dtypes, attributes and placement; never host values or labels. */
  get key(): string {
    const bare = ({ label: _label, path: _path, ...kernel }: Kernel) => kernel;
    const parts = [
      this.buffers.map(({ role, bytes }) => [role, bytes]),
      this.calls.map(({ kernel, ...call }) => ({ ...call, kernel: bare(kernel) })),
      this.scalars,
      this.outputs.map(({ buffer }) => buffer),
    ];
    return exactJson(parts);
  }

  /** FLOPs of all kernels. */
  get flops(): number {
    return this.calls.reduce((sum, { kernel }) => sum + kernelFlops(kernel), 0);
  }

  /** A table for people: kernels, FLOPs, bytes, peak. */
  describe(): string {
    const lines = this.calls.map(({ kernel, inputs, outputs, family }, i) => {
      const shapes = `${kernel.inputs.map(typeText).join(" ")} -> ${kernel.outputs.map(({ type }) => typeText(type)).join(" ")}`;
      const work = `${formatFlops(kernelFlops(kernel))}, ${formatBytes(kernelBytes(kernel))}`;
      return `${String(i).padStart(4)}  ${kernel.label}  (${family}, ${work})  ${shapes}  b${inputs.join(",b")} -> b${outputs.join(",b")}`;
    });
    const { variables, inputs, constants, temporaries, staging, peak } = this.memory;
    lines.push(
      `${this.calls.length} kernels, ${formatFlops(this.flops)}, peak ${formatBytes(peak)}: variables ${formatBytes(variables)}, ` +
        `temporaries ${formatBytes(temporaries)}, inputs ${formatBytes(inputs)}, constants ${formatBytes(constants)}, staging ${formatBytes(staging)}`,
    );
    return lines.join("\n");
  }
}

function typeText({ shape, dtype }: TensorType): string {
  return `${dtype}[${shape.join(",")}]`;
}

/** Bytes a kernel reads and writes at least, with 4 bytes an element. */
export function kernelBytes({ inputs, outputs }: Kernel): number {
  return [...inputs, ...outputs.map(({ type }) => type)].reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
}

/** E.g. `1.2 MFLOP`. */
function formatFlops(flops: number): string {
  return flops < 1e9 ? `${(flops / 1e6).toFixed(3)} MFLOP` : `${(flops / 1e9).toFixed(2)} GFLOP`;
}

/** E.g. `12.3 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

const convProducts = ({ N, C, O, P, Q, R, S }: ConvSizes): number => 2 * N * C * O * P * Q * R * S;

/** FLOPs of a kernel: multiply-adds of its core times two, or one per element it computes or reads. */
export function kernelFlops({ core, domain }: Pick<Kernel, "core" | "domain">): number {
  switch (core?.op) {
    case "matmul": {
      const { batch, M, N, K } = matmulSizes(core.operands, core.attrs);
      return 2 * batch * M * N * K;
    }
    case "conv2d":
      return convProducts(convSizes(core.operands, core.attrs));
    case "conv2dInputGrad":
      return convProducts(convInputGradSizes(core.operands, core.attrs as CoreAttrs["conv2dInputGrad"]));
    case "conv2dWeightGrad":
      return convProducts(convWeightGradSizes(core.operands, core.attrs as CoreAttrs["conv2dWeightGrad"]));
    case "reduce":
      return elementCount(domain) * elementCount(core.reduced);
    case "stages":
      return elementCount(domain) * elementCount(core.reduced) * core.stages.length;
    default:
      return elementCount(domain);
  }
}
