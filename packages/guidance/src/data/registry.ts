/** Data sets by name, so that a configuration or the command line can say which; users add their own. */

import { checkDataset, type DatasetSplits } from "./dataset.ts";
import { DataError } from "./errors.ts";
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

const loaders = new Map<string, DatasetLoader>([
  ["mnist", loadMnist],
  ["fashion-mnist", loadFashionMnist],
  ["synthetic", async ({ synthetic }) => syntheticDataset(synthetic)],
]);

/** Names of all data sets, the built-in ones first. */
export function datasetNames(): string[] {
  return [...loaders.keys()];
}

/** Adds a data set under a new name; throws DataError where the name is taken. */
export function registerDataset(name: string, loader: DatasetLoader): void {
  if (loaders.has(name)) {
    throw new DataError({
      what: "registerDataset",
      facts: `the name "${name}" is taken`,
      expected: `a name other than ${datasetNames().join(", ")}`,
    });
  }
  loaders.set(name, loader);
}

/** The checked splits of the data set called `name`; throws DataError for an unknown name or data that do not fit. */
export async function loadDataset(name: string, options: DatasetOptions = {}): Promise<DatasetSplits> {
  const loader = loaders.get(name);
  if (!loader) {
    throw new DataError({
      what: "loadDataset",
      facts: `there is no data set "${name}"`,
      expected: `one of ${datasetNames().join(", ")}`,
      hint: "Register your own with registerDataset",
    });
  }
  const splits = await loader(options);
  for (const dataset of [splits.train, splits.validation, splits.test]) checkDataset(dataset);
  return splits;
}
