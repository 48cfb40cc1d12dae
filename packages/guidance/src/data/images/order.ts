/**
 * The order of an epoch where images lie in groups that are cheap to read together, such as the row groups of Parquet.
 *
 * An order over all images would read a whole group for each image. So the groups are permuted, and images are shuffled
 * within windows of consecutive groups, which a reader can keep in memory. Both are a function of (seed, epoch) alone.
 */

import { permutation, threefry2x32 } from "@guidance/tensor";

/** Images that a window has at least, unless all are fewer: some ten batches, so that neighbours in a shard are parted. */
export const WINDOW_IMAGES = 2048;

/** Keeps the seeds of windows apart from other uses of the same key. */
const WINDOW_STREAM = 2 ** 32 - 3;

/** A random order of the images 0 .. n-1, where n is the sum of `groups`. */
export function groupedPermutation(
  groups: readonly number[],
  seed: number,
  epoch: number,
  windowImages = WINDOW_IMAGES,
): Uint32Array {
  const starts: number[] = [];
  let total = 0;
  for (const size of groups) {
    starts.push(total);
    total += size;
  }
  const order = new Uint32Array(total);
  let windowStart = 0;
  let end = 0;
  let windows = 0;
  for (const group of permutation(groups.length, seed, epoch)) {
    for (let image = 0; image < groups[group]; image++) order[end++] = starts[group] + image;
    if (end - windowStart < windowImages && end < total) continue;
    const window = order.slice(windowStart, end);
    const within = permutation(window.length, threefry2x32(windows++, epoch, seed, WINDOW_STREAM), epoch);
    for (let place = 0; place < window.length; place++) order[windowStart + place] = window[within[place]];
    windowStart = end;
  }
  return order;
}

/** The order of an epoch's images; undefined where it is their own. */
export function epochOrder(
  { count, groups }: { readonly count: number; readonly groups?: readonly number[] },
  { shuffle, seed = 0, epoch = 0 }: { readonly shuffle: boolean; readonly seed?: number; readonly epoch?: number },
): Uint32Array | undefined {
  if (!shuffle) return undefined;
  // what fits into one window is kept in memory as a whole: its order is that of the same images in files of their own
  const inWindows = groups !== undefined && count > WINDOW_IMAGES;
  return inWindows ? groupedPermutation(groups, seed, epoch) : permutation(count, seed, epoch);
}
