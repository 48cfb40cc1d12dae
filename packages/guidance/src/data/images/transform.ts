/**
 * From decoded pixels to what a network sees: the transforms that torchvision's ImageNet recipes use.
 *
 * Both are one crop and one resize of which a window is kept, so each is a {@link ResizePlan}: what lies outside the
 * window is never computed. They are plain data, since they cross to threads.
 *
 * Source: torchvision 0.14, `transforms.functional.resize`, `center_crop` and `resized_crop` on PIL images; torch's example
 * `imagenet/main.py`.
 */

import { type DrawKey, type RandomCropRange, randomResizedCrop, roundHalfEven, uniformDraws } from "./random-crop.ts";
import { type Pixels, type ResizePlan, resizeCrop } from "./resize.ts";

/** RandomResizedCrop to `size` x `size`, then RandomHorizontalFlip with probability `flip`. */
export interface RandomCropTransform extends RandomCropRange {
  readonly kind: "random-resized-crop";
  readonly size: number;
  readonly flip: number;
}

/** Resize of the shorter side to `resize`, then CenterCrop to `size` x `size`. */
export interface CenterCropTransform {
  readonly kind: "center-crop";
  readonly size: number;
  readonly resize: number;
}

/** A transform that is one crop and one resize. */
export type CropTransform = RandomCropTransform | CenterCropTransform;

/** One that a plugin registered, found by its name. */
export interface RegisteredTransform {
  readonly kind: "registered";
  readonly name: string;
  readonly size: number;
}

/** What becomes of a decoded image before it joins a batch. */
export type ImageTransform = CropTransform | RegisteredTransform;

/** How images are varied for training; `size` is 224 unless given. */
export function trainingTransform(options: Partial<Omit<RandomCropTransform, "kind">> = {}): RandomCropTransform {
  return { kind: "random-resized-crop", size: 224, scale: [0.08, 1], ratio: [3 / 4, 4 / 3], flip: 0.5, ...options };
}

/** How images are seen for evaluation; `size` is 224 and `resize` 8/7 of it unless given, as 256 is of 224. */
export function evaluationTransform({ size = 224, resize = Math.round((size * 8) / 7) } = {}): CenterCropTransform {
  return { kind: "center-crop", size, resize };
}

/** Sides of an image of `width` x `height` whose shorter one becomes `size`; the longer one is truncated, as in torchvision. */
export function resizedSides(width: number, height: number, size: number): { width: number; height: number } {
  return width <= height
    ? { width: size, height: Math.trunc((size * height) / width) }
    : { width: Math.trunc((size * width) / height), height: size };
}

/** The crop and resize of an image of `width` x `height`; `key` decides what is random. */
export function planTransform(transform: CropTransform, width: number, height: number, key: DrawKey): ResizePlan {
  const { size } = transform;
  if (transform.kind === "center-crop") {
    const sides = resizedSides(width, height, transform.resize);
    const left = roundHalfEven((sides.width - size) / 2);
    const top = roundHalfEven((sides.height - size) / 2);
    const crop = { left: 0, top: 0, width, height };
    return { crop, ...sides, window: { left, top, width: size, height: size }, flip: false };
  }
  const uniform = uniformDraws(key);
  const flip = uniform() < transform.flip;
  const crop = randomResizedCrop(width, height, transform, uniform);
  return { crop, width: size, height: size, window: { left: 0, top: 0, width: size, height: size }, flip };
}

/** Values 0 to 255 of shape [3, size, size] that `transform` makes of `pixels`. */
export function transformImage(pixels: Pixels, transform: CropTransform, key: DrawKey): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(3 * transform.size * transform.size);
  resizeCrop(pixels, planTransform(transform, pixels.width, pixels.height, key), image, 0);
  return image;
}
