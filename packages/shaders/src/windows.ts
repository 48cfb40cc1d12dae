/**
 * Binding windows. A device binds at most `maxBindingBytes` of a buffer at once (128 MiB is common), while a
 * tensor may be ten times as large. So the index space of a kernel is cut into boxes, each small enough that
 * the range every operand touches fits one window, and each box becomes a dispatch.
 *
 * `splitSpace` knows nothing about kernels: an operand is a function from a box to the range of elements it
 * touches. Every kernel describes its own operands and says which dimensions it can cut, and how finely.
 */
import { type DType, LimitError, type View } from "@guidance/tensor";
import { storedBytes } from "./kernels/builder.ts";
import type { DeviceTraits } from "./kernels/dispatch.ts";

/** A part of an index space: `size[d]` indices from `start[d]` on, along each dimension. */
export interface Box {
  readonly start: readonly number[];
  readonly size: readonly number[];
}

/** Elements [start, end) of a buffer. */
export interface ElementRange {
  readonly start: number;
  readonly end: number;
}

/** A buffer that is bound by windows. */
export interface WindowedOperand {
  /** For errors, e.g. `weight [2048, 150528]`. */
  readonly label: string;
  readonly dtype: DType;
  /** The elements that the box touches; must not grow when the box shrinks. */
  range(box: Box): ElementRange;
}

export interface SplitOptions {
  /**
   * Pieces of a dimension are multiples of this (except the last) as long as that is fine enough; 0 forbids to cut
   * the dimension at all. Default 1.
   */
  readonly granularity?: readonly number[];
  /** For errors. */
  readonly label: string;
}

/** Whether a whole buffer of `count` elements can be bound at once. */
export function fitsWhole(count: number, dtype: DType, { maxBindingBytes }: DeviceTraits): boolean {
  return Math.ceil((count * storedBytes(dtype)) / 4) * 4 <= maxBindingBytes;
}

/** Bytes of the window that covers a range, its start aligned down as the device wants. */
export function windowBytes({ start, end }: ElementRange, dtype: DType, { offsetAlignment }: DeviceTraits): number {
  const bytes = storedBytes(dtype);
  return Math.ceil((end * bytes) / 4) * 4 - Math.floor((start * bytes) / offsetAlignment) * offsetAlignment;
}

/** The elements of a buffer that a view touches over a box of its space. */
export function viewRange({ offset, strides }: View, { start, size }: Box): ElementRange {
  let low = offset;
  let high = offset;
  strides.forEach((stride, axis) => {
    const first = start[axis] * stride;
    const last = (start[axis] + size[axis] - 1) * stride;
    low += Math.min(first, last);
    high += Math.max(first, last);
  });
  return { start: low, end: high + 1 };
}

/** The smallest range that holds all given ones. */
export function unionRange(ranges: readonly ElementRange[]): ElementRange {
  return {
    start: Math.min(...ranges.map(({ start }) => start)),
    end: Math.max(...ranges.map(({ end }) => end)),
  };
}

/**
 * Cuts the space into boxes in which every operand fits a window: each index in exactly one box, boxes in
 * row-major order of the cuts.
 *
 * @throws LimitError where a box that cannot be cut further is still too large
 */
export function splitSpace(
  sizes: readonly number[],
  operands: readonly WindowedOperand[],
  traits: DeviceTraits,
  { granularity = [], label }: SplitOptions,
): Box[] {
  const preferred = (axis: number) => granularity[axis] ?? 1;

  function halved(box: Box, axis: number, unit: number): Box {
    const half = Math.ceil(box.size[axis] / 2 / unit) * unit;
    return { start: box.start, size: box.size.map((size, d) => (d === axis ? half : size)) };
  }

  function split(box: Box): Box[] {
    const bytesOf = (operand: WindowedOperand, part: Box) => windowBytes(operand.range(part), operand.dtype, traits);
    const operand = operands.find((candidate) => bytesOf(candidate, box) > traits.maxBindingBytes);
    if (!operand) return [box];
    const bytes = bytesOf(operand, box);
    let best = -1;
    let least = bytes;
    let unit = 1;
    /** The cut that shrinks the range most, in pieces of `unitOf(axis)`. */
    function search(unitOf: (axis: number) => number): void {
      box.size.forEach((size, axis) => {
        const own = unitOf(axis);
        if (own === 0 || size <= own) return;
        const left = bytesOf(operand as WindowedOperand, halved(box, axis, own));
        if (left < least) [best, least, unit] = [axis, left, own];
      });
    }
    search(preferred);
    if (best < 0) search((axis) => Math.min(1, preferred(axis)));
    if (best < 0) {
      throw new LimitError({
        what: label,
        facts: `the smallest part of ${operand.label} it can work on takes ${bytes} bytes, one binding holds ${traits.maxBindingBytes} bytes`,
        hint: "Use smaller layers, or a device with a larger maxStorageBufferBindingSize",
      });
    }
    // cut into as many equal pieces as are needed if the range shrinks with the piece; else try halves
    const proportional = least < 0.6 * bytes;
    const capacity = Math.max(traits.maxBindingBytes - traits.offsetAlignment, 1);
    const pieces = proportional ? Math.max(2, Math.ceil(bytes / capacity)) : 2;
    const length = Math.ceil(box.size[best] / pieces / unit) * unit;
    const parts: Box[] = [];
    for (let from = 0; from < box.size[best]; from += length) {
      const size = Math.min(length, box.size[best] - from);
      parts.push({
        start: box.start.map((start, d) => (d === best ? start + from : start)),
        size: box.size.map((whole, d) => (d === best ? size : whole)),
      });
    }
    return parts.flatMap(split);
  }

  if (sizes.some((size) => size === 0)) return [];
  return split({ start: sizes.map(() => 0), size: [...sizes] });
}
