/**
 * The line between the compiler and a device. Bytes and Plans cross it, nothing else: no tensors,
 * no gradients, no op-per-method.
 */

import type { Kernel } from "../compile/kernel.ts";
import type { Plan } from "../compile/plan.ts";
import type { Precision } from "../dtype.ts";

/** What a kernel becomes on a device, as data: the planner counts and places it before anything runs. */
export interface Lowering {
  /** Number of dispatches, windows included. */
  readonly dispatches: number;
  /** Bytes of each scratch buffer the kernel needs while it runs. */
  readonly scratch: readonly number[];
  /** Name of the kernel family chosen, e.g. `subgroup`. */
  readonly family: string;
}

/** For each output of a kernel the input whose buffer it takes, if it takes one. */
export type Overwrites = readonly (number | undefined)[];

/** Limits a plan must respect. */
export interface BackendLimits {
  /** Bytes all live buffers together may take; the device itself never refuses. */
  readonly budgetBytes: number;
  /** Largest single buffer in bytes. */
  readonly maxBufferBytes: number;
  /** Largest tensor in bytes that a kernel of chained reductions may touch; others work through windows. */
  readonly maxWholeBytes: number;
  /** Largest number of inputs plus outputs (plus one if host scalars are read) of one kernel. */
  readonly maxKernelBuffers: number;
  /** Whether tensors may be stored as f16. */
  readonly halves: boolean;
}

/** A block of device memory; opaque to all but its backend. */
export interface DeviceBuffer {
  readonly bytes: number;
  readonly label: string;
}

/** A plan made ready to run on given buffers. */
export interface Program {
  /** Frees what `prepare` made; the buffers belong to the caller. */
  close(): void;
}

/** A device that runs plans. */
export interface Backend {
  /** E.g. `cpu float64`; printed in errors and reports. */
  readonly name: string;
  readonly precision: Precision;
  readonly limits: BackendLimits;
  /** Bytes now held by buffers of this backend. */
  readonly liveBytes: number;
  /** Says how a kernel would run: data only, nothing is created. `overwrites[o]` is the input that output o overwrites. */
  lower(kernel: Kernel, overwrites?: Overwrites): Lowering;
  /** A buffer of zeros; throws LimitError where it does not fit. `label` names it in messages. */
  allocate(bytes: number, label: string): DeviceBuffer;
  /** Frees a buffer that no program under way uses. */
  free(buffer: DeviceBuffer): void;
  /** Queues a copy of `data` to the start of `buffer`, ordered with runs. */
  write(buffer: DeviceBuffer, data: ArrayBufferView): void;
  /** The bytes of `buffer`, or `bytes` of them from `begin` on (multiples of 4), after all work queued before. */
  read(buffer: DeviceBuffer, begin?: number, bytes?: number): Promise<ArrayBuffer>;
  /** Begins with what `prepare` will need and the buffers do not matter to: shaders compile while the host fills them. */
  begin(plan: Plan): void;
  /** `buffers[i]` holds `plan.buffers[i]`. */
  prepare(plan: Plan, buffers: readonly DeviceBuffer[]): Promise<Program>;
  /** Queues one run at once and resolves with the bytes of `plan.outputs`, in order. */
  run(program: Program): Promise<ArrayBuffer[]>;
  /** Registers something to close before the backend itself; returns how to take it back. */
  onClose(closing: () => void): () => void;
  /** Closes what was opened on it, programs and buffers included. */
  close(): Promise<void>;
  /** The same as close. */
  [Symbol.asyncDispose](): Promise<void>;
}
