/**
 * Layer by layer similarity of two networks on the same images: an [La, Lb] matrix.
 *
 * Each network is one compiled Step from images to what a similarity needs of every layer (for CKA its centered Gram
 * matrix, once), and pairs are made of these on the host. `full` takes all samples in one batch, whose memory the plan
 * knows before it runs; `minibatch` adds up unbiased estimates, so that samples cost time and no memory.
 */
import type { Backend, nn } from "@guidance/tensor";
import { DataError } from "../data/errors.ts";
import type { ImageSource } from "../data/source.ts";
import type { ImageInput } from "../train/image-input.ts";
import { eventLoopTurn } from "../train/turn.ts";
import { openComparer } from "./comparer.ts";
import { type Estimator, measureOf } from "./measures.ts";

/** A network to compare, and how it sees images. */
export interface ComparedNetwork {
  readonly name: string;
  readonly model: nn.Module;
  /** How it sees images; they come as bytes. */
  readonly input: ImageInput;
}

/** What is compared, and on which images. */
export interface CompareOptions {
  readonly backend: Backend;
  /** Rows and columns; the same object twice is run once. */
  readonly networks: readonly [ComparedNetwork, ComparedNetwork];
  readonly source: ImageSource;
  readonly similarity: string;
  readonly estimator: Estimator;
  /** How many images, drawn by `seed`; a short last batch is left out. */
  readonly samples: number;
  /** Images in a batch of the minibatch estimator. */
  readonly batchSize: number;
  readonly seed: number;
  /** Called after each batch. */
  readonly onBatch?: (done: number, total: number) => void;
}

/** A layer whose output is compared. */
export interface ComparedLayer {
  readonly name: string;
  readonly path: string;
}

/** The similarity of each layer of one network with each of the other. */
export interface Comparison {
  readonly rows: readonly ComparedLayer[];
  readonly columns: readonly ComparedLayer[];
  /** Similarity of each row with each column; NaN where features are not finite. */
  readonly matrix: readonly (readonly number[])[];
  /** How many images it is of. */
  readonly samples: number;
}

/** Compares all layers of two networks, in evaluation mode. Throws before anything runs where something does not fit. */
export async function compareNetworks(options: CompareOptions): Promise<Comparison> {
  const { source, networks, estimator, seed, onBatch } = options;
  const measure = measureOf(options.similarity, estimator);
  for (const network of networks) checkInput(network, source);
  const batchSize = checkSamples(options);
  const total = Math.floor(options.samples / batchSize);
  const comparer = await openComparer(options, measure, batchSize);
  try {
    let done = 0;
    for await (const { images } of source.batches({ batchSize, lastBatch: "drop", shuffle: true, seed })) {
      await eventLoopTurn();
      await comparer.add(images);
      done += 1;
      onBatch?.(done, total);
      if (done === total) break;
    }
    return { ...comparer.layers, matrix: comparer.matrix(), samples: total * batchSize };
  } finally {
    comparer.close();
  }
}

function checkInput({ name, input: { imageShape } }: ComparedNetwork, source: ImageSource): void {
  const given = [source.channels, source.height, source.width];
  if (imageShape.join() === given.join()) return;
  throw new DataError({
    what: "compare",
    facts: `"${name}" takes images [${imageShape.join(", ")}] and "${source.name}" has [${given.join(", ")}]`,
    expected: "two networks and a data set of one image shape",
  });
}

/** Images in a batch. */
function checkSamples({ source, samples, estimator, batchSize }: CompareOptions): number {
  if (samples > source.count) {
    throw new DataError({
      what: "samples",
      facts: `they are ${samples} and "${source.name}" has ${source.count} images`,
      expected: "no more than there are",
    });
  }
  const size = estimator === "full" ? samples : batchSize;
  const [least, what] = estimator === "full" ? [2, "samples"] : [4, "batch"];
  if (size < least) {
    throw new DataError({
      what,
      facts:
        estimator === "full" ? `there are ${size}` : `it has ${size} images, and unbiased estimates divide by n - 3`,
      expected: `at least ${least}`,
    });
  }
  if (size > samples) {
    throw new DataError({
      what: "batch",
      facts: `it has ${size} images and there are ${samples} samples`,
      expected: "a batch no larger than the samples",
    });
  }
  return size;
}
