/**
 * What a kernel becomes before anything touches the GPU: dispatches as plain data. A generator turns one
 * `Kernel` of the plan into a list of them; the program compiles shaders, binds buffers and encodes.
 */
import type { Kernel } from "@guidance/tensor";

/** A buffer of the kernel as seen by a dispatch. */
export type BufferReference =
  | { readonly kind: "input"; readonly index: number }
  | { readonly kind: "output"; readonly index: number }
  | { readonly kind: "scratch"; readonly index: number }
  /** The host scalars of the plan. */
  | { readonly kind: "scalars" };

/** One entry of the bind group: a window of a buffer, in the order of `@binding`. */
export interface BindingWindow {
  readonly buffer: BufferReference;
  readonly access: "read" | "read_write";
  /** Start in bytes, a multiple of the device's storage offset alignment. */
  readonly offset: number;
  /** Length in bytes, at most the binding limit. */
  readonly size: number;
}

/** One dispatch of a compute shader. */
export interface Dispatch {
  /** WGSL source: also the key of its pipeline, so sizes and constants stay out of it. */
  readonly shader: string;
  readonly bindings: readonly BindingWindow[];
  /** Contents of the uniform block at the binding after the last window: sizes, strides, constants, window origins. */
  readonly params: Uint32Array;
  readonly workgroups: readonly [number, number, number];
}

/** The shaders that a kernel became. */
export interface GeneratedKernel {
  readonly dispatches: readonly Dispatch[];
  /** Bytes of each scratch buffer. */
  readonly scratch: readonly number[];
  /** Kernel family, e.g. `subgroup` or `direct`. */
  readonly family: string;
}

/** What generators may know about the device: numbers and flags, so that they run without one. */
export interface DeviceTraits {
  /** Exact subgroup size (minimum equals maximum), or 0 where subgroups are absent or vary. */
  readonly subgroupSize: number;
  /** CPU adapters (lavapipe, SwiftShader) want small workgroups and no barriers. */
  readonly software: boolean;
  /** Largest window of a storage buffer that one binding may cover, in bytes (settable, for tests). */
  readonly maxBindingBytes: number;
  /** Alignment in bytes of a storage binding's offset. */
  readonly offsetAlignment: number;
  readonly maxWorkgroupsPerDimension: number;
  /** Storage buffers one dispatch may bind; unlimited if absent. Scratch counts, and a plan does not know of it. */
  readonly maxStorageBuffers?: number;
  /** Forces a kernel family where it can do the job, e.g. `direct`; for tests and tuning. */
  readonly family?: string;
  /** Forces the rows of a register tile; for tuning. */
  readonly tileRows?: number;
  /** What tuning found best for kernels of some sizes (see choices.ts); others follow the static rules. */
  readonly choices?: ReadonlyMap<string, string>;
}

/**
 * Turns a kernel into dispatches. `overwrites[o]` is the kernel input that output o overwrites in place, or
 * undefined; such an input is bound once, read_write, as the output.
 */
export type KernelGenerator = (
  kernel: Kernel,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
) => GeneratedKernel;
