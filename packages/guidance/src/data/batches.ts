/**
 * Normalised batches of a data set, in an order that is a function of seed and epoch.
 *
 * Nothing is remembered between batches: batch k of an epoch is the same whether the epoch began at batch 0 or is resumed
 * at k, on every machine.
 */

import { permutation } from "@guidance/tensor";
import { type ImageDataset, imageSize } from "./dataset.ts";
import { DataError } from "./errors.ts";

/** What becomes of the images left over when the batch size does not divide their number. */
export type LastBatch =
  /** They are left out of this epoch. */
  | "drop"
  /** They form a whole batch together with images of zeros, whose mask is 0. */
  | "pad"
  /** They form a short batch. */
  | "keep";

/** How a data set is cut into batches. */
export interface BatchOptions {
  /** Images per batch. */
  readonly batchSize: number;
  readonly lastBatch: LastBatch;
  /** Whether the order is random; otherwise it is that of the data set. */
  readonly shuffle: boolean;
  /** Seed of the random order (u32), 0 unless given. */
  readonly seed?: number;
  /** Which of the seed's random orders, 0 unless given. */
  readonly epoch?: number;
  /** Index of the first batch to give, 0 unless given: where a resumed run goes on. */
  readonly start?: number;
}

/** Images ready for a network, and their labels. */
export interface Batch {
  /** Index of this batch in its epoch. */
  readonly index: number;
  /** (x / 255 - mean) / std of shape [N, channels, height, width]; 0 where padded. */
  readonly images: Float32Array;
  /** Classes of shape [N]; 0 where padded. */
  readonly labels: Int32Array;
  /** 1 for an image, 0 for padding, of shape [N]. */
  readonly mask: Float32Array;
  /** Number of images that are not padding. */
  readonly count: number;
}

/** Number of batches in an epoch of `count` images. */
export function batchCount(
  count: number,
  { batchSize, lastBatch }: Pick<BatchOptions, "batchSize" | "lastBatch">,
): number {
  return lastBatch === "drop" ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
}

/** The batches of one epoch; throws DataError at once for a batch size or start that does not fit the data set. */
export function batches(dataset: ImageDataset, options: BatchOptions): Generator<Batch, void, undefined> {
  const { shuffle, seed = 0, epoch = 0, start = 0 } = options;
  const total = checkBatches(dataset, options);
  const order = shuffle ? permutation(dataset.count, seed, epoch) : undefined;
  return generate(dataset, options, order, start, total);
}

/** Number of batches in an epoch; throws DataError for a batch size or start that does not fit `count` images. */
export function checkBatches({ name, count }: { name: string; count: number }, options: BatchOptions): number {
  const { batchSize, start = 0 } = options;
  const what = `batches of "${name}"`;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new DataError({ what, facts: `the batch size is ${batchSize}`, expected: "a whole number of at least 1" });
  }
  if (batchSize > count) {
    throw new DataError({
      what,
      facts: `the batch size is ${batchSize} and the data set has ${count} images`,
      expected: "a batch no larger than the data set",
      hint: `Take a batch size of at most ${count}`,
    });
  }
  const total = batchCount(count, options);
  if (!Number.isInteger(start) || start < 0 || start > total) {
    throw new DataError({ what, facts: `the first batch is ${start}`, expected: `a whole number from 0 to ${total}` });
  }
  return total;
}

function* generate(
  dataset: ImageDataset,
  { batchSize, lastBatch }: BatchOptions,
  order: Uint32Array | undefined,
  start: number,
  total: number,
): Generator<Batch, void, undefined> {
  const tables = normalisationTables(dataset);
  const size = imageSize(dataset);
  for (let index = start; index < total; index++) {
    const first = index * batchSize;
    const count = Math.min(batchSize, dataset.count - first);
    const length = lastBatch === "pad" ? batchSize : count;
    const batch: Batch = {
      index,
      images: new Float32Array(length * size),
      labels: new Int32Array(length),
      mask: new Float32Array(length).fill(1, 0, count),
      count,
    };
    for (let position = 0; position < count; position++) {
      const image = order ? order[first + position] : first + position;
      normalise(dataset, tables, image, batch.images, position * size);
      batch.labels[position] = dataset.labels[image];
    }
    yield batch;
  }
}

/** The normalised value of each byte, for each channel; computed in float64 and rounded once. */
function normalisationTables({ mean, std }: ImageDataset): Float32Array[] {
  return mean.map((center, channel) => Float32Array.from({ length: 256 }, (_, x) => (x / 255 - center) / std[channel]));
}

/** Writes the normalised values of one image to `target`, from `offset` on. */
function normalise(
  dataset: ImageDataset,
  tables: readonly Float32Array[],
  image: number,
  target: Float32Array,
  offset: number,
): void {
  const area = dataset.height * dataset.width;
  let source = image * imageSize(dataset);
  for (const table of tables) {
    for (let pixel = 0; pixel < area; pixel++) target[offset++] = table[dataset.images[source++]];
  }
}
