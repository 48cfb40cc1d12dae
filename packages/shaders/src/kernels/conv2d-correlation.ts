/**
 * The forward convolution and the input gradient are one computation with other numbers: for every image n,
 * output channel m and place (y, x) of a grid
 *
 *     sum over k, t, u of  weight[offset + m row + k depth + t tapRow + u tapColumn]
 *                        * image[n, k, y stride + t step + origin, x stride + u step + origin]
 *
 * where places outside the image count as zero. Forward: m = O, k = C, step 1, origin -padding. Input gradient:
 * m = C, k = O, step -1; a stride splits the input into stride[0] * stride[1] classes of pixels, each with its own
 * subset of the taps, so that no product with a hole of the stride is ever formed. Taps that fall outside the image for
 * every place are dropped: a 3x3 kernel on a map of one pixel is a 1x1 kernel. Generators print this shape once.
 */
import type { ConvAttrs, ConvSizes } from "@guidance/tensor";

type Pair = readonly [number, number];

/** Where a weight lies: element = offset + m row + k depth + t tapRow + u tapColumn. */
export interface WeightView {
  readonly offset: number;
  readonly row: number;
  readonly depth: number;
  readonly tapRow: number;
  readonly tapColumn: number;
}

export interface Correlation {
  readonly images: number;
  /** Channels of the result (m) and of the image (k). */
  readonly rows: number;
  readonly depth: number;
  /** Number of taps [t, u]; may be 0, then the result is 0. */
  readonly taps: Pair;
  /** [height, width] of an image plane. */
  readonly image: Pair;
  /** [height, width] of the places (y, x) computed here. */
  readonly grid: Pair;
  readonly stride: Pair;
  readonly step: 1 | -1;
  readonly origin: Pair;
  readonly weight: WeightView;
  /** [height, width] of a result plane; place (y, x) is its pixel (y spread + shift). */
  readonly plane: Pair;
  readonly spread: Pair;
  readonly shift: Pair;
  /** The rows are `channels` of the result in every phase of the stride: see `phasedInputGrad`. */
  readonly phases?: Phases;
}

/**
 * Row m is channel floor(m / count) of the pixels (y spread + a, x spread + b), where a and b are the quotient and
 * remainder of m mod count by spread[1]. Tap (t, u) is kernel element (first[0] + a + t spread[0], ...), where that exists.
 */
export interface Phases {
  readonly count: number;
  readonly channels: number;
  readonly first: Pair;
  /** [height, width] of the kernel. */
  readonly kernel: Pair;
}

/** conv2d(x [N,C,H,W], weight [O,C,R,S]) -> [N,O,P,Q]. */
export function forwardCorrelation(
  { N, C, O, H, W, P, Q, R, S }: ConvSizes,
  { stride, padding }: ConvAttrs,
): Correlation {
  return cropTaps({
    images: N,
    rows: O,
    depth: C,
    taps: [R, S],
    image: [H, W],
    grid: [P, Q],
    stride,
    step: 1,
    origin: [-padding[0], -padding[1]],
    weight: { offset: 0, row: C * R * S, depth: R * S, tapRow: S, tapColumn: 1 },
    plane: [P, Q],
    spread: [1, 1],
    shift: [0, 0],
  });
}

/**
 * conv2dInputGrad(grad [N,O,P,Q], weight [O,C,R,S]) -> [N,C,H,W], one correlation per class of pixels.
 * dx[h] sums over taps r and places p with p stride + r - padding = h. For h = stride y + a only the taps
 * r = first + stride t with first = (a + padding) mod stride count, and p = y + (a + padding - first) / stride - t.
 */
export function inputGradCorrelations(sizes: ConvSizes, { stride, padding }: ConvAttrs): Correlation[] {
  const { N, C, O, H, W, P, Q, R, S } = sizes;
  const classes: Correlation[] = [];
  for (let a = 0; a < Math.min(stride[0], H); a++) {
    for (let b = 0; b < Math.min(stride[1], W); b++) {
      const first = [(a + padding[0]) % stride[0], (b + padding[1]) % stride[1]];
      classes.push(
        cropTaps({
          images: N,
          rows: C,
          depth: O,
          taps: [tapsFrom(first[0], R, stride[0]), tapsFrom(first[1], S, stride[1])],
          image: [P, Q],
          grid: [Math.ceil((H - a) / stride[0]), Math.ceil((W - b) / stride[1])],
          stride: [1, 1],
          step: -1,
          origin: [(a + padding[0] - first[0]) / stride[0], (b + padding[1] - first[1]) / stride[1]],
          weight: {
            offset: first[0] * S + first[1],
            row: R * S,
            depth: C * R * S,
            tapRow: stride[0] * S,
            tapColumn: stride[1],
          },
          plane: [H, W],
          spread: stride,
          shift: [a, b],
        }),
      );
    }
  }
  return classes;
}

/**
 * The input gradient as one correlation whose rows are the channels in every phase (a, b) of the stride: the pixels of
 * all classes lie over nearly the same places. Taps that a phase has not are products with zero, so this pays where
 * channels are few, as in the gradient with respect to images, and a class alone would fill no tile.
 *
 * With h = stride y + a, and p = y + origin - t for the largest origin of any phase, the tap is r = first + a + stride t
 * with first = padding - stride origin.
 */
export function phasedInputGrad(sizes: ConvSizes, { stride, padding }: ConvAttrs): Correlation {
  const { N, C, O, H, W, P, Q, R, S } = sizes;
  const kernel: Pair = [R, S];
  const origin = ([0, 1] as const).map((axis) => Math.floor((stride[axis] - 1 + padding[axis]) / stride[axis]));
  const first = ([0, 1] as const).map((axis) => padding[axis] - stride[axis] * origin[axis]);
  const count = stride[0] * stride[1];
  return cropTaps({
    images: N,
    rows: count * C,
    depth: O,
    taps: [tapsFrom(first[0], R, stride[0]), tapsFrom(first[1], S, stride[1])],
    image: [P, Q],
    grid: [Math.ceil(H / stride[0]), Math.ceil(W / stride[1])],
    stride: [1, 1],
    step: -1,
    origin: [origin[0], origin[1]],
    weight: {
      offset: first[0] * S + first[1],
      row: R * S,
      depth: C * R * S,
      tapRow: stride[0] * S,
      tapColumn: stride[1],
    },
    plane: [H, W],
    spread: stride,
    shift: [0, 0],
    phases: { count, channels: C, first: [first[0], first[1]], kernel },
  });
}

/** How many of `first`, first + stride, ... are below `size`. */
function tapsFrom(first: number, size: number, stride: number): number {
  return Math.max(0, Math.ceil((size - first) / stride));
}

/** Drops leading and trailing taps that meet no pixel from any place. */
export function cropTaps(correlation: Correlation): Correlation {
  const { step, weight, origin, spread, phases } = correlation;
  const [from, to] = [0, 1]
    .map((axis) => usefulTaps(correlation, axis))
    .reduce(
      ([starts, ends], [start, end]) => [
        [...starts, start],
        [...ends, end],
      ],
      [[], []] as [number[], number[]],
    );
  if (from[0] >= to[0] || from[1] >= to[1]) return { ...correlation, taps: [0, 0] };
  return {
    ...correlation,
    taps: [to[0] - from[0], to[1] - from[1]],
    origin: [origin[0] + step * from[0], origin[1] + step * from[1]],
    weight: { ...weight, offset: weight.offset + from[0] * weight.tapRow + from[1] * weight.tapColumn },
    ...(phases && {
      phases: {
        ...phases,
        first: [phases.first[0] + from[0] * spread[0], phases.first[1] + from[1] * spread[1]],
      },
    }),
  };
}

/** [first, end) of the taps of one axis that meet a pixel from at least one place. */
export function usefulTaps(
  {
    taps,
    grid,
    stride,
    step,
    origin,
    image,
  }: Pick<Correlation, "taps" | "grid" | "stride" | "step" | "origin" | "image">,
  axis: number,
): [number, number] {
  const useful: number[] = [];
  for (let tap = 0; tap < taps[axis]; tap++) {
    // the first place at or right of the image's edge decides
    const offset = step * tap + origin[axis];
    const place = Math.max(0, Math.ceil(-offset / stride[axis]));
    if (place < grid[axis] && place * stride[axis] + offset < image[axis]) useful.push(tap);
  }
  return useful.length === 0 ? [0, 0] : [useful[0], useful[useful.length - 1] + 1];
}
