// Random values for the arguments of ops, which the cases in generators.ts are made of.
//
// Values come from a small grid with an offset per argument, so that they stay clear of kinks (relu at 0, equal
// arguments of maximum, neighbours in a max over an axis) by much more than the step of a central difference.

import { type DType, elementCount, type TensorType } from "@guidance/tensor";
import fc from "fast-check";

export interface CaseInput extends TensorType {
  readonly values: Float64Array<ArrayBuffer>;
}

/** The values of one argument: what a whole number from 0 on, different for each element, becomes; the element's index and the case's seed come with it. */
export interface Draw {
  readonly dtype: DType;
  /** Equal values come up, and values at 0. */
  readonly ties?: boolean;
  readonly value: (random: number, index: number, seed: number) => number;
}

/** A well mixed number in [0, 2^32). */
export function mix(seed: number, index: number): number {
  let bits = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(index + 1, 0xc2b2ae35);
  bits = Math.imul(bits ^ (bits >>> 15), 0x2c1b3c6d);
  bits = Math.imul(bits ^ (bits >>> 12), 0x297a2d39);
  return (bits ^ (bits >>> 15)) >>> 0;
}

/** Floats between `low` and `high`, at least `offset` away from every multiple of 1/8. */
export const floats = (low: number, high: number, offset = 0.03): Draw => ({
  dtype: "f32",
  value: (random) => low + (random % Math.max(1, Math.round((high - low) * 8))) / 8 + offset,
});

/** A prime above the number of elements of every small case. */
const PLACES = 1009;

/** Floats in [-2, 2), no two of one tensor closer than 4 / 1009. */
export const distinct: Draw = {
  dtype: "f32",
  value: (_random, index, seed) => (((index + 1) * (1 + (seed % (PLACES - 1)))) % PLACES) * (4 / PLACES) - 2,
};
export const integers = (dtype: "i32" | "u32" | "bool", low: number, high: number): Draw => ({
  dtype,
  value: (random) => low + (random % (high - low + 1)),
});
export const flags = integers("bool", 0, 1);
/** Integers whose sums and products wrap. */
export const wide = integers("i32", -(2 ** 31), 2 ** 31 - 1);
export const wideUnsigned = integers("u32", 0, 2 ** 32 - 1);
export const few: Draw = { ...floats(-1, 1, 0), ties: true };

/** A tensor type filled by `draw`. */
export function caseInput(shape: readonly number[], draw: Draw, seed: number): CaseInput {
  const values = Float64Array.from({ length: elementCount(shape) }, (_, i) => draw.value(mix(seed, i), i, seed));
  return { shape, dtype: draw.dtype, values };
}

export const seeds = fc.nat();

/** Shapes of up to four axes: ragged, with ones, sometimes empty. */
export const shapes = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 5 }) },
    { weight: 2, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.constant(0) },
  ),
  { maxLength: 4 },
);

export const signed = floats(-3, 3);
export const other = floats(-3, 3, -0.03);
export const positive = floats(0.25, 4);

/** Floats between the halves, beyond them, and of less than their full precision: rounding has no slope. */
export const rounded: Draw = { ...floats(-3, 3), ties: true };
export const overflowing: Draw = { dtype: "f32", ties: true, value: (random) => (random % 140_001) - 70_000 };
export const tiny: Draw = { dtype: "f32", ties: true, value: (random) => ((random % 4001) - 2000) * 2 ** -26 };
