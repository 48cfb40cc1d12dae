/**
 * Transforms by name: what becomes of a photograph between its decoding and its batch.
 *
 * The built-in ones are plain data. One of a plugin's is code, which runs in the threads that decode: they import the same
 * modules ({@link threadModules}) and find it by its name. All that is random about it comes from `uniform`, a function of
 * seed, epoch and image, so that a resumed run sees the same images again.
 */

import { describeValue, runOwn } from "../../own-code.ts";
import { Registry } from "../../registry.ts";
import { DataError } from "../errors.ts";
import { type DrawKey, OWN_STREAM, uniformDraws } from "./random-crop.ts";
import type { Pixels } from "./resize.ts";
import {
  type CropTransform,
  evaluationTransform,
  type ImageTransform,
  trainingTransform,
  transformImage,
} from "./transform.ts";

/** What a transform is asked for. */
export interface TransformRequest {
  /** Height and width of the image to make. */
  readonly size: number;
  /** What the built-in transforms draw from, for {@link transformImage}. */
  readonly key: DrawKey;
  /** Uniform in [0, 1), draw after draw, other numbers than those of the built-in transforms. */
  readonly uniform: () => number;
}

/** Makes values 0 to 255 of shape [3, size, size] of the pixels [height, width, 3] of a photograph. */
export type PixelTransform = (pixels: Pixels, request: TransformRequest) => Uint8Array;

const builtIn: Readonly<Record<string, (size: number) => CropTransform>> = {
  "random-resized-crop": (size) => trainingTransform({ size }),
  "center-crop": (size) => evaluationTransform({ size }),
};

const entries = Object.entries(builtIn).map(([name, transformOf]): [string, PixelTransform] => [
  name,
  (pixels, { size, key }) => transformImage(pixels, transformOf(size), key),
]);

/** Transforms of photographs, for training (`images.trainTransform`) and for all else (`images.transform`). */
export const transforms = new Registry<PixelTransform>(
  "transform",
  Object.fromEntries(entries),
  "(pixels, { size, key, uniform }) => Uint8Array",
);

/** The transform called `name`, for images of `size` x `size`, as it crosses to threads. */
export function transformNamed(name: string, size: number): ImageTransform {
  transforms.get(name);
  return Object.hasOwn(builtIn, name) ? builtIn[name](size) : { kind: "registered", name, size };
}

/** Values 0 to 255 of shape [3, size, size] that `transform` makes of `pixels`; throws DataError where it makes others. */
export function applyTransform(pixels: Pixels, transform: ImageTransform, key: DrawKey): Uint8Array<ArrayBuffer> {
  if (transform.kind !== "registered") return transformImage(pixels, transform, key);
  const { name, size } = transform;
  const what = `transform "${name}"`;
  const uniform = uniformDraws(key, OWN_STREAM);
  const image: unknown = runOwn(what, () => transforms.get(name)(pixels, { size, key, uniform }));
  // a copy, since it is handed over whole, and a plugin may use its memory again
  if (image instanceof Uint8Array && image.length === 3 * size * size) return new Uint8Array(image);
  const given = image instanceof Uint8Array ? `${image.length} values` : describeValue(image);
  throw new DataError({
    what,
    facts: `of ${pixels.width} x ${pixels.height} pixels it made ${given}`,
    expected: `a Uint8Array of ${3 * size * size} values, [3, ${size}, ${size}]`,
  });
}

/** Tries a transform on a made-up photograph, so that what is wrong with a plugin's shows before a run begins. */
export function checkTransform(transform: ImageTransform): void {
  const [width, height] = [96, 64];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => i % 251);
  applyTransform({ data, width, height }, transform, { seed: 0, epoch: 0, image: 0 });
}

/** Modules that a decoding thread imports, in order, before it uses a transform that is not built in. */
export const threadModules: string[] = [];
