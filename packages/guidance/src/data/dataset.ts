/**
 * What a data set of images is: bytes, labels and the numbers that normalise them.
 *
 * Images stay unsigned bytes until a batch is formed, a quarter of the memory of float32; splits share one array.
 */

import { DataError } from "./errors.ts";

/** Labelled images of one size. */
export interface ImageDataset {
  /** Name in messages and reports, e.g. `mnist train`. */
  readonly name: string;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Number of classes; labels are below it. */
  readonly classes: number;
  /** Mean of each channel, for values scaled to 0..1. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel, for values scaled to 0..1. */
  readonly std: readonly number[];
  /** Values 0 to 255 of shape [count, channels, height, width]. */
  readonly images: Uint8Array;
  /** Class of each image, of shape [count]. */
  readonly labels: Uint8Array;
  /** Number of images. */
  readonly count: number;
}

/** What is trained on, what chooses among checkpoints, and what is touched once. */
export interface DatasetSplits {
  readonly train: ImageDataset;
  readonly validation: ImageDataset;
  readonly test: ImageDataset;
}

/** How many of the last training images validate where a data set has no validation split. */
export const VALIDATION_COUNT = 5000;

/** Number of values of one image. */
export function imageSize({ channels, height, width }: ImageDataset): number {
  return channels * height * width;
}

/** Throws DataError unless arrays, counts, channels and labels of `dataset` fit together. */
export function checkDataset(dataset: ImageDataset): void {
  const { name, channels, count, images, labels, mean, std, classes } = dataset;
  const facts = (text: string, expected: string): DataError =>
    new DataError({ what: `data set "${name}"`, facts: text, expected });
  const values = count * imageSize(dataset);
  if (images.length !== values) {
    throw facts(`images hold ${images.length} values`, `${values} for ${count} images of ${imageSize(dataset)} values`);
  }
  if (labels.length !== count) throw facts(`there are ${labels.length} labels`, `${count}, one for each image`);
  if (mean.length !== channels || std.length !== channels) {
    throw facts(`mean has ${mean.length} and std ${std.length} values`, `${channels}, one for each channel`);
  }
  const index = labels.findIndex((label) => label >= classes);
  if (index >= 0) throw facts(`label ${index} is ${labels[index]}`, `0 to ${classes - 1} for ${classes} classes`);
}

/** Images `begin` to `end` of `dataset` under another name, sharing its memory. */
export function sliceDataset(dataset: ImageDataset, name: string, begin: number, end: number): ImageDataset {
  const size = imageSize(dataset);
  return {
    ...dataset,
    name,
    images: dataset.images.subarray(begin * size, end * size),
    labels: dataset.labels.subarray(begin, end),
    count: end - begin,
  };
}

/** Splits whose validation images are the last {@link VALIDATION_COUNT} training images. */
export function holdOutValidation(name: string, train: ImageDataset, test: ImageDataset): DatasetSplits {
  const boundary = train.count - VALIDATION_COUNT;
  if (boundary < 1) {
    throw new DataError({
      what: `data set "${name}"`,
      facts: `it has ${train.count} training images, the last ${VALIDATION_COUNT} of which would validate`,
      expected: `more than ${VALIDATION_COUNT}`,
      hint: "Give the data set a validation split of its own",
    });
  }
  return {
    train: sliceDataset(train, `${name} train`, 0, boundary),
    validation: sliceDataset(train, `${name} validation`, boundary, train.count),
    test,
  };
}
