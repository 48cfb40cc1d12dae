/** The images of a comparison, batch by batch, without those that cannot be decoded. */
import { DataError } from "../data/errors.ts";
import { eventLoopTurn } from "../train/turn.ts";
import type { CompareOptions } from "./comparison.ts";

/** A batch whose first `count` images are good ones; the others are zeros. */
export interface GoodBatch {
  readonly images: Uint8Array;
  readonly count: number;
}

/**
 * The first `samples` good images in the order of the seed, each once, in batches that are full but for the last. A source
 * gives fewer where too many are bad. (Batches are read padded: in any other a source puts the next good image in the place
 * of a bad one, so that it comes twice.)
 */
export async function* goodBatches({ source, samples, batchSize, seed }: CompareOptions): AsyncGenerator<GoodBatch> {
  const size = source.channels * source.height * source.width;
  let images = new Uint8Array(batchSize * size);
  let count = 0;
  let left = samples;
  for await (const batch of source.batches({ batchSize, lastBatch: "pad", shuffle: true, seed })) {
    await eventLoopTurn();
    for (let row = 0; row < batchSize && left > 0; row++) {
      if (batch.mask[row] === 0) continue;
      images.set(batch.images.subarray(row * size, (row + 1) * size), count * size);
      count += 1;
      left -= 1;
      if (count < batchSize) continue;
      yield { images, count };
      images = new Uint8Array(batchSize * size);
      count = 0;
    }
    if (left === 0) break;
  }
  if (count > 0) yield { images, count };
}

/** Throws DataError unless `taken` of the images of a comparison, those that are good, are at least `least`. */
export function checkTaken({ source }: CompareOptions, taken: number, least: number): void {
  if (taken >= least) return;
  const facts = `${taken} of ${source.count} images of "${source.name}" can be used`;
  throw new DataError({ what: "compare", facts, expected: `at least ${least} good images` });
}
