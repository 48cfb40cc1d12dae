/**
 * How images are cut into batches, in an order that is a function of seed and epoch.
 *
 * Nothing is remembered between batches: batch k of an epoch is the same whether the epoch began at batch 0 or is resumed
 * at k, on every machine.
 */

import { DataError } from "./errors.ts";

/** What becomes of the images left over when the batch size does not divide their number. */
export type LastBatch =
  /** They are left out of this epoch. */
  | "drop"
  /** They form a whole batch together with images of zeros, whose mask is 0: for scores, where each image counts once. */
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

/** Number of batches in an epoch of `count` images. */
export function batchCount(
  count: number,
  { batchSize, lastBatch }: Pick<BatchOptions, "batchSize" | "lastBatch">,
): number {
  return lastBatch === "drop" ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
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
