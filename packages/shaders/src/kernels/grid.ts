/**
 * How many workgroups of what size. CPU adapters pay about 120 ns for every workgroup and run a dispatch on all
 * cores only if there are at least two; GPUs want thousands of threads. No grid is wider than the device allows:
 * large ones become two-dimensional.
 */
import type { DeviceTraits } from "./dispatch.ts";

export type Grid = readonly [number, number, number];

/** At least `count` workgroups as a grid of legal width; `ShaderBuilder.linearGroup` numbers them. */
export function gridOf(count: number, { maxWorkgroupsPerDimension }: DeviceTraits): Grid {
  if (count <= maxWorkgroupsPerDimension) return [Math.max(1, count), 1, 1];
  const rows = Math.ceil(count / maxWorkgroupsPerDimension);
  return [Math.ceil(count / rows), rows, 1];
}

/** Workgroups that loop over their share of the work are capped: more would only cost launches. */
const SOFTWARE_LOOP_WORKGROUPS = 32;
/** Enough for every multiprocessor of a large GPU many times over. */
const HARDWARE_LOOP_WORKGROUPS = 8192;

/** Size of a workgroup, and a one-dimensional grid of at most the useful number of them, for `threads` equal items. */
export function loopGrid(threads: number, traits: DeviceTraits): { workgroupSize: number; workgroups: Grid } {
  const cap = traits.software ? SOFTWARE_LOOP_WORKGROUPS : HARDWARE_LOOP_WORKGROUPS;
  const preferred = traits.software ? 64 : 256;
  // few items: small workgroups, so that there are two of them
  const workgroupSize = threads >= 2 * preferred ? preferred : traits.software ? 8 : 64;
  return { workgroupSize, workgroups: [Math.max(1, Math.min(cap, Math.ceil(threads / workgroupSize))), 1, 1] };
}

/** Greatest common divisor. */
function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/**
 * A grid whose number of threads is a multiple of `period`, so that a thread that strides through an index space by
 * the number of threads keeps its position in every dimension but the first. Undefined if that takes too many threads.
 */
export function periodicGrid(
  threads: number,
  period: number,
  traits: DeviceTraits,
): { workgroupSize: number; workgroups: Grid } | undefined {
  const { workgroupSize, workgroups } = loopGrid(threads, traits);
  const unit = period / commonDivisor(workgroupSize, period);
  const cap = traits.software ? 2 * SOFTWARE_LOOP_WORKGROUPS : HARDWARE_LOOP_WORKGROUPS;
  if (unit > cap) return undefined;
  return { workgroupSize, workgroups: [Math.max(1, Math.round(workgroups[0] / unit)) * unit, 1, 1] };
}
