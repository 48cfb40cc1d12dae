/** Data sets by name, so that a configuration or the command line can say which; users add their own. */

import { Registry } from "../registry.ts";
import { CIFAR10, CIFAR100, loadCifar } from "./cifar.ts";
import { checkDataset, type DatasetSplits } from "./dataset.ts";
import { loadFashionMnist } from "./fashion-mnist.ts";
import { loadMnist } from "./mnist.ts";
import { type SyntheticOptions, syntheticDataset } from "./synthetic.ts";

/** What a data set may be told; each takes what concerns it. */
export interface DatasetOptions {
  /** Where the files are, for data sets read from files. */
  readonly folder?: string;
  /** Shape and counts, for the data set `synthetic`. */
  readonly synthetic?: SyntheticOptions;
}

/** Reads or makes the splits of a data set. */
export type DatasetLoader = (options: DatasetOptions) => Promise<DatasetSplits>;

/** Data sets by name. */
export const datasets = new Registry<DatasetLoader>("data set", {
  mnist: loadMnist,
  "fashion-mnist": loadFashionMnist,
  cifar10: ({ folder }) => loadCifar(CIFAR10, folder),
  cifar100: ({ folder }) => loadCifar(CIFAR100, folder),
  synthetic: async ({ synthetic }) => syntheticDataset(synthetic),
});

/** The checked splits of the data set called `name`; throws for an unknown name or data that do not fit. */
export async function loadDataset(name: string, options: DatasetOptions = {}): Promise<DatasetSplits> {
  const splits = await datasets.get(name)(options);
  for (const dataset of [splits.train, splits.validation, splits.test]) checkDataset(dataset);
  return splits;
}
