/**
 * What training reads, wherever it comes from: batches of bytes in an order that follows from seed and epoch.
 *
 * Data sets of thumbnails fit into memory, ImageNet does not, and its images need decoding and cropping first. Both are
 * sources: they give images as bytes, which the first op of a network scales and normalises by the source's mean and
 * standard deviation. {@link memorySource} makes one of an ImageDataset, {@link decodedSource} one of encoded images.
 */

import type { BatchOptions } from "./batches.ts";

/** Images of a source, and their labels. */
export interface ImageBatch {
  /** Index of this batch in its epoch. */
  readonly index: number;
  /** Values 0 to 255 of shape [N, channels, height, width]; 0 where there is no image. */
  readonly images: Uint8Array;
  /** Classes of shape [N]; 0 where there is no image. */
  readonly labels: Int32Array;
  /** 1 for an image, 0 for padding and what could not be decoded, of shape [N]. */
  readonly mask: Float32Array;
  /** Number of images: the sum of the mask. */
  readonly count: number;
}

/** What networks have to know of the images they are made for. */
export interface ImageFormat {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Number of classes; labels are below it. */
  readonly classes: number;
  /** What the classes are called, by label, where that is known. */
  readonly classNames?: readonly string[];
  /** Mean of each channel, for values scaled to 0..1. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel, for values scaled to 0..1. */
  readonly std: readonly number[];
}

/** Labelled images of one format, read batch by batch. */
export interface ImageSource extends ImageFormat {
  /** Name in messages and reports, e.g. `imagenet train`. */
  readonly name: string;
  /** Number of images. */
  readonly count: number;
  /** Identity of the data: same hash, same images, labels and normalization. */
  readonly hash: string;
  /** Number of images found bad so far, and skipped; absent where none can be. */
  readonly badImages?: number;
  /**
   * The batches of one epoch from batch `start` on, in an order that is a function of seed and epoch alone.
   *
   * Throws DataError at once for a batch size or start that does not fit the source.
   */
  batches(options: BatchOptions): AsyncIterable<ImageBatch>;
  /** Ends threads and closes files; batches under way fail. */
  close(): Promise<void>;
}

/** What is trained on, what chooses among checkpoints, and what is touched once. */
export interface SourceSplits {
  readonly train: ImageSource;
  readonly validation: ImageSource;
  readonly test: ImageSource;
}

/** The sources of all splits, each once: two splits may share one. */
const sourcesOf = ({ train, validation, test }: SourceSplits) => [...new Set([train, validation, test])];

/** Number of images of all splits that were found bad so far, and skipped. */
export function countBadImages(splits: SourceSplits): number {
  return sourcesOf(splits).reduce((sum, { badImages = 0 }) => sum + badImages, 0);
}

/** Closes the sources of all splits. */
export async function closeSplits(splits: SourceSplits): Promise<void> {
  await Promise.all(sourcesOf(splits).map((source) => source.close()));
}
