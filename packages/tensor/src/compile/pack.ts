/**
 * Pack: share whole buffers among values that are never live at the same time. All lifetimes are known, so the largest
 * values come first: whatever takes a buffer later fits into it, and no buffer ever grows.
 */

/** A value and the calls from the first to the last that need it, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

/** Values that share a buffer as large as the first of them. */
export type Shared<T extends Lifetime> = readonly T[];

/** Calls that a buffer lies idle around `value`, or undefined where it is in use. */
function idleAround(values: readonly Lifetime[], { from, to }: Lifetime): number | undefined {
  let before = Number.NEGATIVE_INFINITY;
  let after = Number.POSITIVE_INFINITY;
  for (const other of values) {
    if (other.to < from) before = Math.max(before, other.to);
    else if (other.from > to) after = Math.min(after, other.from);
    else return undefined;
  }
  return Math.min(from - before, after - to);
}

/** The values of each buffer. */
export function pack<T extends Lifetime>(values: readonly T[]): Shared<T>[] {
  const buffers: T[][] = [];
  const sorted = [...values].sort((a, b) => b.bytes - a.bytes || a.from - b.from);
  for (const value of sorted) {
    let best: T[] | undefined;
    let bestBytes = Number.POSITIVE_INFINITY;
    let bestIdle = Number.POSITIVE_INFINITY;
    for (const buffer of buffers) {
      const idle = idleAround(buffer, value);
      if (idle === undefined) continue;
      // of the smallest, the one that was just left: long gaps stay for long lives
      if (buffer[0].bytes < bestBytes || (buffer[0].bytes === bestBytes && idle < bestIdle))
        [best, bestBytes, bestIdle] = [buffer, buffer[0].bytes, idle];
    }
    if (best) best.push(value);
    else buffers.push([value]);
  }
  return buffers;
}
