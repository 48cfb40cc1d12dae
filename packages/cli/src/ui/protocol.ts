/**
 * What the dashboard's server tells its page: one JSON message at a time over server-sent events, each with what changed
 * since the one before.
 */

/** Curves of one network, each a few columns of steps that lie together. */
export interface SeriesUpdate {
  /** Columns from this one on are replaced by those below. */
  readonly from: number;
  /** What the rows are; only where `from` is 0. */
  readonly rows?: readonly string[];
  /** The last step of each column. */
  readonly steps: readonly number[];
  /** Row by row, the mean in each column; null where there is none that is finite. */
  readonly mean: readonly (readonly (number | null)[])[];
  /** The least and the greatest in each column, where one has several steps. */
  readonly low?: readonly (readonly (number | null)[])[];
  readonly high?: readonly (readonly (number | null)[])[];
}

export const seriesNames = ["steps", "validations", "similarity", "layers", "gradients"] as const;
/**
 * steps: loss, cross-entropy, learning rate, images/s. validations: loss, top-1, top-5. similarity: the mean over layers.
 * layers: similarity of each. gradients: their norm in each.
 */
export type SeriesName = (typeof seriesNames)[number];

export const stepRows = ["loss", "crossEntropy", "learningRate", "imagesPerSecond"] as const;
export const validationRows = ["loss", "top1", "top5"] as const;

/** How far a network is. */
export interface ArmProgress {
  readonly step: number;
  readonly totalSteps: number;
  readonly epoch: number;
  readonly learningRate: number | null;
  readonly imagesPerSecond: number | null;
  /** Seconds to its last step; null while there is nothing to tell it from. */
  readonly eta: number | null;
  /** Of the last validation, from 0 to 1. */
  readonly top1: number | null;
}

export interface ArmUpdate {
  readonly run: string;
  readonly arm: string;
  readonly progress: ArmProgress | null;
  readonly series: Readonly<Partial<Record<SeriesName, SeriesUpdate>>>;
}

export type RunState = "running" | "finished" | "stopped";

/** A line of the list of runs. */
export interface RunEntry {
  readonly id: string;
  readonly dataset: string;
  readonly state: RunState;
  /** Test accuracy at the end by network, from 0 to 1. */
  readonly test: Readonly<Record<string, number>>;
}

/** What is known of a run beside its curves. */
export interface RunDetail extends RunEntry {
  /** Dotted fields of its configuration. */
  readonly config: Readonly<Record<string, string>>;
  readonly adapter: string | null;
  /** What could not be read, one line each. */
  readonly problems: readonly string[];
}

export interface Update {
  readonly runs?: readonly RunEntry[];
  readonly details?: readonly RunDetail[];
  readonly arms?: readonly ArmUpdate[];
}
