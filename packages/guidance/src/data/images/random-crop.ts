/**
 * The random part of training on photographs: torchvision's RandomResizedCrop and RandomHorizontalFlip.
 *
 * A random crop of random size and shape shows an object larger, smaller, wider and narrower, from epoch to epoch. The
 * numbers are not torch's, whose generator is a state that no resumed run could restore for each of many threads; a draw
 * here is a function of (seed, epoch, image) alone.
 *
 * Source: torchvision 0.14, `transforms.RandomResizedCrop.get_params`; Szegedy et al., "Going deeper with convolutions", 2014.
 */

import { threefryBlock } from "@guidance/tensor";
import type { Box } from "./resize.ts";

/** What a draw depends on. */
export interface DrawKey {
  /** Seed of the run (u32). */
  readonly seed: number;
  readonly epoch: number;
  /** Index of the image in its split. */
  readonly image: number;
}

/** Range of crops. */
export interface RandomCropRange {
  /** Least and greatest share of the image's area; 0.08 to 1 in torchvision. */
  readonly scale: readonly [number, number];
  /** Least and greatest width over height; 3/4 to 4/3 in torchvision. */
  readonly ratio: readonly [number, number];
}

/** Crops that do not fit the image are drawn again so often, as in torchvision. */
const TRIES = 10;

/** The stream that keys are derived from: below that of permutations, and far above those that networks use. */
const KEY_STREAM = 2 ** 32 - 2;

/** The stream of keys for transforms of plugins, whose draws are others than those of crops. */
export const OWN_STREAM = 2 ** 32 - 3;

/** Uniform float64 in [0, 1), draw after draw, a function of `key` and `stream` alone. */
export function uniformDraws({ seed, epoch, image }: DrawKey, stream = KEY_STREAM): () => number {
  const block = threefryBlock(image, epoch, seed, stream, new Uint32Array(2));
  const [key0, key1] = block;
  let draw = 0;
  return () => {
    threefryBlock(draw++, 0, key0, key1, block);
    return ((block[0] >>> 5) * 2 ** 26 + (block[1] >>> 6)) / 2 ** 53;
  };
}

/** `value` rounded to a whole number, halves to the even one, as Python does. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** A crop of an image of `width` x `height`, of an area and a shape drawn from `range` (log-uniformly for the shape). */
export function randomResizedCrop(
  width: number,
  height: number,
  { scale, ratio }: RandomCropRange,
  uniform: () => number,
): Box {
  const area = width * height;
  const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const target = area * (scale[0] + (scale[1] - scale[0]) * uniform());
    const shape = Math.exp(low + (high - low) * uniform());
    const w = roundHalfEven(Math.sqrt(target * shape));
    const h = roundHalfEven(Math.sqrt(target / shape));
    if (w <= 0 || w > width || h <= 0 || h > height) continue;
    const top = Math.floor(uniform() * (height - h + 1));
    const left = Math.floor(uniform() * (width - w + 1));
    return { left, top, width: w, height: h };
  }
  return centralCrop(width, height, ratio);
}

/** The largest crop about the centre whose shape is within `ratio`; at least one pixel, where torchvision would give none. */
export function centralCrop(width: number, height: number, [least, greatest]: readonly [number, number]): Box {
  const shape = width / height;
  const w = shape > greatest ? Math.max(roundHalfEven(height * greatest), 1) : width;
  const h = shape < least ? Math.max(roundHalfEven(width / least), 1) : height;
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}
