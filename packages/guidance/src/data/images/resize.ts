/**
 * Pillow's antialiased bilinear resize of 8-bit images, bit for bit.
 *
 * Networks trained with torchvision saw images resized by Pillow, and other resizers differ by whole grey levels: sharp's
 * by up to 89 where it enlarges. Pillow resizes rows first, then columns; both passes round to bytes. A value is a sum
 * of neighbours weighted by a triangle that is as wide as the scale (at least one pixel each way), with weights of 22
 * bits behind the point. Only the wanted window of the result is computed, which may lie mirrored, and it comes out as
 * planes, [C, H, W], where a decoded image has its channels side by side.
 *
 * Source: Pillow 9.4, `src/libImaging/Resample.c`.
 */

import { PRECISION_BITS, type Weights, weights } from "./resize-weights.ts";

/** Channels of an image. */
const C = 3;
const HALF = 1 << (PRECISION_BITS - 1);
/** Rows that are resized together. */
const ROW_BLOCK = 16;

/** A rectangle of pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Pixels of shape [height, width, 3], 0 to 255. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** What becomes of an image: `crop` is cut out and resized to `width` x `height`, of which `window` is kept. */
export interface ResizePlan {
  readonly crop: Box;
  readonly width: number;
  readonly height: number;
  readonly window: Box;
  /** Whether the window is mirrored, left to right. */
  readonly flip: boolean;
}

/** Writes the window of `plan` to `target`, from `offset` on, with shape [3, window.height, window.width]. */
export function resizeCrop(pixels: Pixels, plan: ResizePlan, target: Uint8Array, offset: number): void {
  const { crop, window } = plan;
  const across = weights(crop.width, plan.width, window.left, window.width);
  const down = weights(crop.height, plan.height, window.top, window.height);
  const last = window.height - 1;
  const top = down.first[0];
  const rows = down.first[last] + down.counts[last] - top;
  const source = pixels.data.subarray(((crop.top + top) * pixels.width + crop.left) * C);
  const planes = resizeRows(source, pixels.width * C, rows, across, plan.flip);
  for (let channel = 0; channel < C; channel++) {
    const size = rows * window.width;
    const plane = planes.subarray(channel * size, (channel + 1) * size);
    resizeColumns(plane, window.width, top, down, target, offset + channel * window.height * window.width);
  }
}

/** Holds the planes between the passes: memory that is not given back needs not be taken, cleared and collected again. */
let scratch = new Uint8Array();

/**
 * The first `rows` rows of `source`, resized to the outputs of `weights`, as planes of shape [3, rows, outputs].
 *
 * An output's weights stay in registers for a block of rows, few enough that their pixels stay in the nearest cache. Up
 * to four pixels, which is a scale below 2, are written out: a loop over so few costs twice as much.
 */
function resizeRows(source: Uint8Array, rowBytes: number, rows: number, weights: Weights, flip: boolean): Uint8Array {
  const { first, counts, values, stride } = weights;
  const width = first.length;
  const size = rows * width;
  if (scratch.length < C * size) scratch = new Uint8Array(C * size);
  const planes = scratch;
  for (let block = 0; block < rows; block += ROW_BLOCK) {
    const end = Math.min(block + ROW_BLOCK, rows);
    for (let place = 0; place < width; place++) {
      let pixel = block * rowBytes + first[place] * C;
      let target = block * width + (flip ? width - 1 - place : place);
      const weight = place * stride;
      const count = counts[place];
      if (count > 4) {
        for (let row = block; row < end; row++) {
          let red = HALF;
          let green = HALF;
          let blue = HALF;
          for (let tap = 0; tap < count; tap++) {
            const value = values[weight + tap];
            const at = pixel + tap * C;
            red = (red + Math.imul(value, source[at])) | 0;
            green = (green + Math.imul(value, source[at + 1])) | 0;
            blue = (blue + Math.imul(value, source[at + 2])) | 0;
          }
          planes[target] = red >> PRECISION_BITS;
          planes[target + size] = green >> PRECISION_BITS;
          planes[target + 2 * size] = blue >> PRECISION_BITS;
          pixel += rowBytes;
          target += width;
        }
        continue;
      }
      // Where there are fewer than four pixels, the first stands in for the others, with weight 0.
      const w0 = values[weight];
      const w1 = count > 1 ? values[weight + 1] : 0;
      const w2 = count > 2 ? values[weight + 2] : 0;
      const w3 = count > 3 ? values[weight + 3] : 0;
      const d1 = count > 1 ? C : 0;
      const d2 = count > 2 ? 2 * C : 0;
      const d3 = count > 3 ? 3 * C : 0;
      for (let row = block; row < end; row++) {
        const p1 = pixel + d1;
        const p2 = pixel + d2;
        const p3 = pixel + d3;
        const red =
          HALF +
          Math.imul(w0, source[pixel]) +
          Math.imul(w1, source[p1]) +
          Math.imul(w2, source[p2]) +
          Math.imul(w3, source[p3]);
        const green =
          HALF +
          Math.imul(w0, source[pixel + 1]) +
          Math.imul(w1, source[p1 + 1]) +
          Math.imul(w2, source[p2 + 1]) +
          Math.imul(w3, source[p3 + 1]);
        const blue =
          HALF +
          Math.imul(w0, source[pixel + 2]) +
          Math.imul(w1, source[p1 + 2]) +
          Math.imul(w2, source[p2 + 2]) +
          Math.imul(w3, source[p3 + 2]);
        planes[target] = red >> PRECISION_BITS;
        planes[target + size] = green >> PRECISION_BITS;
        planes[target + 2 * size] = blue >> PRECISION_BITS;
        pixel += rowBytes;
        target += width;
      }
    }
  }
  return planes;
}

/** One plane, whose first row is input `top` of `weights`, resized to their outputs. */
function resizeColumns(
  plane: Uint8Array,
  width: number,
  top: number,
  { first, counts, values, stride }: Weights,
  target: Uint8Array,
  offset: number,
): void {
  for (let row = 0; row < first.length; row++, offset += width) {
    const line = (first[row] - top) * width;
    const weight = row * stride;
    const count = counts[row];
    if (count > 4) {
      for (let x = 0; x < width; x++) {
        let sum = HALF;
        for (let tap = 0, at = line + x; tap < count; tap++, at += width) {
          sum = (sum + Math.imul(values[weight + tap], plane[at])) | 0;
        }
        target[offset + x] = sum >> PRECISION_BITS;
      }
      continue;
    }
    const w0 = values[weight];
    const w1 = count > 1 ? values[weight + 1] : 0;
    const w2 = count > 2 ? values[weight + 2] : 0;
    const w3 = count > 3 ? values[weight + 3] : 0;
    const l1 = count > 1 ? line + width : line;
    const l2 = count > 2 ? l1 + width : line;
    const l3 = count > 3 ? l2 + width : line;
    for (let x = 0; x < width; x++) {
      const sum =
        HALF +
        Math.imul(w0, plane[line + x]) +
        Math.imul(w1, plane[l1 + x]) +
        Math.imul(w2, plane[l2 + x]) +
        Math.imul(w3, plane[l3 + x]);
      target[offset + x] = sum >> PRECISION_BITS;
    }
  }
}
