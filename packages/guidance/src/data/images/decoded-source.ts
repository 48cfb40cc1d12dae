/**
 * Encoded images as an {@link ImageSource}: decoded and transformed by threads, some batches ahead of training.
 *
 * Which images a batch has follows from seed, epoch and its index, and how they are cropped from seed, epoch and image; so
 * an epoch may be resumed at any batch, and neither the number of threads nor how far they are ahead changes a value.
 */

import { type BatchOptions, checkBatches } from "../batches.ts";
import { DataError } from "../errors.ts";
import type { ImageBatch, ImageSource } from "../source.ts";
import type { BadImageError } from "./bad-image.ts";
import { DecodePool } from "./decode-pool.ts";
import type { EncodedImages } from "./encoded.ts";
import { ImageReader } from "./image-reader.ts";
import { epochOrder } from "./order.ts";
import { hashEncoded } from "./source-hash.ts";
import type { ImageTransform } from "./transform.ts";

/** Mean and standard deviation of ImageNet's channels, as torchvision's models expect them. */
export const IMAGENET_MEAN: readonly number[] = [0.485, 0.456, 0.406];
/** Standard deviation of each channel of ImageNet, for values scaled to 0..1. */
export const IMAGENET_STD: readonly number[] = [0.229, 0.224, 0.225];

/** How encoded images become a source. */
export interface DecodedSourceOptions {
  readonly transform: ImageTransform;
  /** Threads that decode, or a pool shared with other sources; all cores but one unless given. */
  readonly workers?: number | DecodePool;
  /** Batches prepared ahead of the one in use; 2 unless given. */
  readonly prefetch?: number;
  /** Seed of crops and flips (u32); that of the batches unless given. */
  readonly seed?: number;
  /**
   * fail, unless given: a bad image throws. skip: the next good image of the split takes its place, or none does where
   * batches are padded, and its mask is 0.
   */
  readonly onBadImage?: "skip" | "fail";
  /** Told of each bad image that is skipped, once. */
  readonly onBad?: (error: BadImageError) => void;
  /** Mean and standard deviation of the channels, for values scaled to 0..1; those of ImageNet unless given. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
}

/** A source of decoded images. */
export interface DecodedSource extends ImageSource {
  readonly classNames: readonly string[];
  /** Number of images found bad so far, and skipped. */
  readonly badImages: number;
}

/**
 * `encoded` as a source; closing it closes `encoded`, and the threads with the last source that has them.
 *
 * Throws DataError for a split without images or without labels, and for options out of range.
 */
export async function decodedSource(encoded: EncodedImages, options: DecodedSourceOptions): Promise<DecodedSource> {
  const { transform, workers, prefetch = 2, mean = IMAGENET_MEAN, std = IMAGENET_STD } = options;
  const labels = checkLabels(encoded);
  checkOptions(encoded.name, prefetch, mean, std);
  const hash = await hashEncoded(encoded, labels, { transform, mean, std });
  const pool = workers instanceof DecodePool ? workers : new DecodePool(workers);
  pool.retain();
  const reader = new ImageReader(encoded, pool, options);
  const closing = new AbortController();
  return {
    name: encoded.name,
    channels: 3,
    height: transform.size,
    width: transform.size,
    classes: encoded.classNames.length,
    classNames: encoded.classNames,
    mean,
    std,
    count: encoded.count,
    hash,
    get badImages() {
      return reader.badImages;
    },
    batches(batchOptions) {
      const total = checkBatches(encoded, batchOptions);
      closing.signal.throwIfAborted();
      return readAhead(reader, labels, { ...batchOptions, prefetch, total }, closing.signal);
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort(new DataError({ what: `batches of "${encoded.name}"`, facts: "the source is closed" }));
      await pool.release();
      await encoded.close();
    },
  };
}

/** The class of each image; throws DataError where one has none. */
function checkLabels(encoded: EncodedImages): Int32Array {
  const { name, count, classNames } = encoded;
  const what = `images of "${name}"`;
  if (count < 1) throw new DataError({ what, facts: "there are none", expected: "at least one image" });
  const labels = Int32Array.from({ length: count }, (_, index) => encoded.label(index));
  const index = labels.findIndex((label) => label < 0 || label >= classNames.length);
  if (index < 0) return labels;
  const hidden = labels[index] === -1;
  throw new DataError({
    what,
    facts: hidden
      ? `image ${index} has the label -1: the labels are hidden`
      : `image ${index} is of class ${labels[index]}`,
    expected: `a class from 0 to ${classNames.length - 1} for each image`,
    hint: hidden
      ? "Use the validation split for scores: the labels of ImageNet's test images are not public"
      : "Check the labels",
  });
}

function checkOptions(name: string, prefetch: number, mean: readonly number[], std: readonly number[]): void {
  const what = `images of "${name}"`;
  if (!Number.isInteger(prefetch) || prefetch < 1) {
    throw new DataError({ what, facts: `prefetch is ${prefetch}`, expected: "a whole number of at least 1" });
  }
  if (mean.length === 3 && std.length === 3) return;
  const facts = `mean has ${mean.length} and std ${std.length} values`;
  throw new DataError({ what, facts, expected: "3, one for each channel" });
}

interface ReadAheadOptions extends BatchOptions {
  readonly prefetch: number;
  /** Batches of the epoch. */
  readonly total: number;
}

/** Batch after batch, while the next ones are prepared; leaving the loop drops what was not begun. */
async function* readAhead(
  reader: ImageReader,
  labels: Int32Array,
  options: ReadAheadOptions,
  closing: AbortSignal,
): AsyncGenerator<ImageBatch, void, undefined> {
  const { start = 0, total, prefetch } = options;
  const leaving = new AbortController();
  const signal = AbortSignal.any([leaving.signal, closing]);
  const order = epochOrder(reader.encoded, options);
  const ahead: Promise<ImageBatch>[] = [];
  let next = start;
  const fill = () => {
    while (next < total && ahead.length < prefetch) {
      const batch = readBatch(reader, labels, order, next++, options, signal);
      // A failure is met when its turn comes, not while it waits.
      batch.catch(() => {});
      ahead.push(batch);
    }
  };
  try {
    for (fill(); ahead.length > 0; ) {
      const batch = await ahead[0];
      ahead.shift();
      fill();
      yield batch;
    }
  } finally {
    leaving.abort(new DataError({ what: `batches of "${reader.encoded.name}"`, facts: "they are no longer wanted" }));
  }
}

async function readBatch(
  reader: ImageReader,
  labels: Int32Array,
  order: Uint32Array | undefined,
  index: number,
  options: BatchOptions,
  signal: AbortSignal,
): Promise<ImageBatch> {
  const { batchSize, lastBatch } = options;
  const first = index * batchSize;
  const count = Math.min(batchSize, labels.length - first);
  const length = lastBatch === "pad" ? batchSize : count;
  const size = 3 * reader.size * reader.size;
  const images = new Uint8Array(length * size);
  const labelled = new Int32Array(length);
  const mask = new Float32Array(length);
  const places = Array.from({ length: count }, async (_, place) => {
    const wanted = order ? order[first + place] : first + place;
    const found = await reader.read(wanted, { ...options, replace: lastBatch !== "pad" }, signal);
    if (!found) return;
    images.set(found.image, place * size);
    labelled[place] = labels[found.index];
    mask[place] = 1;
  });
  // The first failure in the order of the batch, so that the same one is named each time.
  const failed = (await Promise.allSettled(places)).find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return { index, images, labels: labelled, mask, count: mask.reduce((sum, real) => sum + real, 0) };
}
