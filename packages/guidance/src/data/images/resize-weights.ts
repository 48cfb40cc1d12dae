/**
 * Weights of one pass of a resize: a triangle about each output's centre, as wide as the scale and at least one pixel each
 * way, sampled at the inputs it covers, brought to the sum 1 and rounded to whole numbers, exactly as Pillow does.
 *
 * Source: Pillow 9.4, `src/libImaging/Resample.c`, `precompute_coeffs` and `normalize_coeffs_8bpc`.
 */

/** Bits behind the point of a weight: 32, less 8 of a byte, less 2 for overflow and sign. */
export const PRECISION_BITS = 22;

/** Weights of one pass: output `i` is the sum of `counts[i]` inputs from `first[i]` on, weights from `i * stride` on. */
export interface Weights {
  readonly first: Int32Array;
  readonly counts: Int32Array;
  readonly values: Int32Array;
  readonly stride: number;
}

/** Weights of outputs `begin` to `begin + length` where `inputs` values become `outputs`; weights of 0 are left out. */
export function weights(inputs: number, outputs: number, begin: number, length: number): Weights {
  const scale = inputs / outputs;
  const support = Math.max(scale, 1);
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(length);
  const counts = new Int32Array(length);
  const values = new Int32Array(length * stride);
  const exact = new Float64Array(stride);
  const inverse = 1 / support;
  for (let place = 0; place < length; place++) {
    const center = (begin + place + 0.5) * scale;
    let from = Math.max(Math.trunc(center - support + 0.5), 0);
    let count = Math.min(Math.trunc(center + support + 0.5), inputs) - from;
    let sum = 0;
    for (let tap = 0; tap < count; tap++) {
      exact[tap] = Math.max(1 - Math.abs((tap + from - center + 0.5) * inverse), 0);
      sum += exact[tap];
    }
    while (exact[count - 1] === 0) count--;
    const skip = exact[0] === 0 ? 1 : 0;
    from += skip;
    count -= skip;
    first[place] = from;
    counts[place] = count;
    for (let tap = 0; tap < count; tap++) {
      values[place * stride + tap] = Math.trunc(0.5 + (exact[tap + skip] / sum) * (1 << PRECISION_BITS));
    }
  }
  return { first, counts, values, stride };
}
