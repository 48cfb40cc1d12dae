/**
 * The three convolutions as products: im2col and col2im are tables of offsets into a zero-padded copy, so the
 * column matrix never exists. An input gradient splits by the phase of its pixels under the stride; each
 * phase sees a fixed subset of the kernel, so no product with a zero between strided pixels is computed.
 * Letters: N batch, C input channels, O output channels, H W input size, P Q output size, R S kernel size.
 */
import type { TensorType, TypedArray } from "../dtype.ts";
import {
  type ConvAttrs,
  type ConvInputGradAttrs,
  type ConvSizes,
  type ConvWeightGradAttrs,
  convInputGradSizes,
  convSizes,
  convWeightGradSizes,
} from "../ops/conv2d.ts";
import { nestedSteps, product, steps } from "./cpu-blocked-product.ts";

type Pair = readonly [number, number];

/** Images with zeros around them. */
interface Padded {
  readonly data: TypedArray;
  readonly height: number;
  readonly width: number;
}

/** `planes` images of `height` x `width` with zeros `before` and `after` each axis. */
function padImages(source: TypedArray, planes: number, [height, width]: Pair, before: Pair, after: Pair): Padded {
  const [tall, wide] = [before[0] + height + after[0], before[1] + width + after[1]];
  if (tall === height && wide === width) return { data: source, height, width };
  const data = new Float64Array(planes * tall * wide);
  for (let plane = 0; plane < planes; plane++) {
    for (let y = 0; y < height; y++) {
      const from = (plane * height + y) * width;
      const to = (plane * tall + before[0] + y) * wide + before[1];
      for (let x = 0; x < width; x++) data[to + x] = source[from + x];
    }
  }
  return { data, height: tall, width: wide };
}

/** Taps of one axis that reach the input from some output pixel, and the zeros they need around the input. */
function reachedTaps(size: number, outputs: number, kernel: number, stride: number, padding: number) {
  const first = Math.max(0, padding - (outputs - 1) * stride);
  const last = Math.min(kernel - 1, size - 1 + padding);
  return {
    first,
    count: Math.max(0, last - first + 1),
    before: padding - first,
    after: Math.max(0, (outputs - 1) * stride + last - padding - (size - 1)),
  };
}

/**
 * The input as columns: where each output pixel's window starts, and each tap's offset in a window and in the
 * kernel. Taps that only ever see padding are left out: 8 of 9 of a 3 x 3 kernel on 1 x 1 images.
 */
function windows(x: TypedArray, { N, C, H, W, P, Q, R, S }: ConvSizes, { stride, padding }: ConvAttrs) {
  const vertical = reachedTaps(H, P, R, stride[0], padding[0]);
  const horizontal = reachedTaps(W, Q, S, stride[1], padding[1]);
  const before: Pair = [vertical.before, horizontal.before];
  const { data, height, width } = padImages(x, N * C, [H, W], before, [vertical.after, horizontal.after]);
  const plane = height * width;
  return {
    data,
    pixels: nestedSteps(0, [N, C * plane], [P, stride[0] * width], [Q, stride[1]]),
    taps: nestedSteps(0, [C, plane], [vertical.count, width], [horizontal.count, 1]),
    kernelTaps: nestedSteps(
      vertical.first * S + horizontal.first,
      [C, R * S],
      [vertical.count, S],
      [horizontal.count, 1],
    ),
  };
}

export function blockedConv2d(
  [x, weight]: readonly TypedArray[],
  types: readonly TensorType[],
  attrs: ConvAttrs,
  out: TypedArray,
): void {
  const sizes = convSizes(types, attrs);
  const { N, C, O, P, Q, R, S } = sizes;
  const { data, pixels, taps, kernelTaps } = windows(x, sizes, attrs);
  product(
    { data: weight, rows: steps(O, C * R * S), columns: kernelTaps },
    { data, rows: pixels, columns: taps },
    { data: out, rows: steps(O, P * Q), columns: nestedSteps(0, [N, O * P * Q], [P * Q, 1]) },
  );
}

export function blockedConv2dWeightGrad(
  [x, grad]: readonly TypedArray[],
  types: readonly TensorType[],
  attrs: ConvWeightGradAttrs,
  out: TypedArray,
): void {
  const sizes = convWeightGradSizes(types, attrs);
  const { N, C, O, P, Q, R, S } = sizes;
  const { data, pixels, taps, kernelTaps } = windows(x, sizes, attrs);
  out.fill(0);
  product(
    { data: grad, rows: steps(O, P * Q), columns: nestedSteps(0, [N, O * P * Q], [P * Q, 1]) },
    { data, rows: taps, columns: pixels },
    { data: out, rows: steps(O, C * R * S), columns: kernelTaps },
  );
}

/**
 * Along one axis: the pixels first + i * stride, whose taps are `phase + t * stride`; tap t of pixel i reads output
 * pixel `start + i - t`. Only the `taps` from `firstTap` on meet an output pixel at all.
 */
function axisPhase(phase: number, size: number, outputs: number, kernel: number, stride: number, padding: number) {
  const first = (((phase - padding) % stride) + stride) % stride;
  const count = Math.max(0, Math.ceil((size - first) / stride));
  const start = (first + padding - phase) / stride;
  const firstTap = Math.max(0, start - (outputs - 1));
  const lastTap = Math.min(Math.ceil((kernel - phase) / stride) - 1, start + count - 1);
  return { first, count, start, lastTap, taps: Math.max(0, lastTap - firstTap + 1) };
}

export function blockedConv2dInputGrad(
  [grad, weight]: readonly TypedArray[],
  types: readonly TensorType[],
  attrs: ConvInputGradAttrs,
  out: TypedArray,
): void {
  const { N, C, O, H, W, P, Q, R, S } = convInputGradSizes(types, attrs);
  const { stride, padding } = attrs;
  // zeros for the output pixels before the first and after the last that some pixel and tap would read
  const before: Pair = [Math.ceil((R - 1) / stride[0]), Math.ceil((S - 1) / stride[1])];
  const after: Pair = [
    Math.max(0, Math.floor((H - 1 + padding[0]) / stride[0]) - (P - 1)),
    Math.max(0, Math.floor((W - 1 + padding[1]) / stride[1]) - (Q - 1)),
  ];
  const { data, height, width } = padImages(grad, N * O, [P, Q], before, after);
  const plane = height * width;
  for (let y = 0; y < stride[0]; y++) {
    for (let x = 0; x < stride[1]; x++) {
      const vertical = axisPhase(y, H, P, R, stride[0], padding[0]);
      const horizontal = axisPhase(x, W, Q, S, stride[1], padding[1]);
      // taps from last to first, so that p and q ascend as in the plain loops
      const lastTap = (y + vertical.lastTap * stride[0]) * S + x + horizontal.lastTap * stride[1];
      const row = before[0] + vertical.start - vertical.lastTap;
      const corner = row * width + before[1] + horizontal.start - horizontal.lastTap;
      product(
        {
          data: weight,
          rows: steps(C, R * S),
          columns: nestedSteps(lastTap, [O, C * R * S], [vertical.taps, -stride[0] * S], [horizontal.taps, -stride[1]]),
        },
        {
          data,
          rows: nestedSteps(corner, [N, O * plane], [vertical.count, width], [horizontal.count, 1]),
          columns: nestedSteps(0, [O, plane], [vertical.taps, width], [horizontal.taps, 1]),
        },
        {
          data: out,
          rows: steps(C, H * W),
          columns: nestedSteps(
            vertical.first * W + horizontal.first,
            [N, C * H * W],
            [vertical.count, stride[0] * W],
            [horizontal.count, stride[1]],
          ),
        },
      );
    }
  }
}
