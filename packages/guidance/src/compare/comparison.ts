/** What is compared, and what comes of it. */
import type { Backend, nn } from "@guidance/tensor";
import type { ImageSource } from "../data/source.ts";
import type { ImageInput } from "../train/image-input.ts";
import type { Estimator } from "./measures.ts";

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
  /** How many images, drawn by `seed`; bad ones and, of the minibatch estimator, a short last batch are left out. */
  readonly samples: number;
  /**
   * Images in a batch, or all samples where that is fewer: what the networks run on at once, and what the minibatch estimator estimates from. To the full
   * estimator it makes no difference but rounding, as no image's features depend on others in evaluation mode.
   */
  readonly batchSize: number;
  readonly seed: number;
  /**
   * Bytes of the host's memory that the full estimator may take for features and what is kept of them, half of what is
   * free unless given: with less the images are passed over several times, each for some of the layers.
   */
  readonly hostBytes?: number;
  /** Called after each batch, each layer and each pair. */
  readonly onProgress?: (progress: CompareProgress) => void;
}

/** How far a comparison is. */
export interface CompareProgress {
  /** images: networks run; layers, pairs: what the full estimator does with the features. */
  readonly stage: "images" | "layers" | "pairs";
  readonly done: number;
  readonly total: number;
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
  /** How many of them were in a batch. */
  readonly batchSize: number;
}
