/**
 * A guess at how long a kernel runs, from its arithmetic and traffic alone. It decides only where a long plan is
 * cut into several submits, so that a GPU's watchdog (about two seconds on desktops) is never near.
 */
import { elementCount, type Kernel, kernelFlops } from "@guidance/tensor";
import type { DeviceKind } from "./adapter/device.ts";
import { storedBytes } from "./kernels/builder.ts";

/** Cautious figures: floating-point operations and bytes per second. */
const rates: Readonly<Record<DeviceKind, { readonly flops: number; readonly bytes: number }>> = {
  hardware: { flops: 1e12, bytes: 5e10 },
  browser: { flops: 2e11, bytes: 2e10 },
  lavapipe: { flops: 3e10, bytes: 4e9 },
  swiftshader: { flops: 3e9, bytes: 1e9 },
};

/** A submit is closed once the work in it is estimated to take this many seconds. */
export const LONGEST_SUBMIT = 0.5;

/** Estimated seconds of one run of a kernel. */
export function estimateSeconds(kernel: Kernel, kind: DeviceKind): number {
  const types = [...kernel.inputs, ...kernel.outputs.map(({ type }) => type)];
  const bytes = types.reduce((sum, { shape, dtype }) => sum + elementCount(shape) * storedBytes(dtype), 0);
  return kernelFlops(kernel) / rates[kind].flops + bytes / rates[kind].bytes;
}
