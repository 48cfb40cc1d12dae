/** Data sets by name, so that a configuration or the command line can say which; users add their own. */

import { awaitOwn } from "../own-code.ts";
import { Registry } from "../registry.ts";
import { CIFAR10, CIFAR100, loadCifar } from "./cifar.ts";
import { checkDataset, type ImageDataset } from "./dataset.ts";
import { DataError } from "./errors.ts";
import { loadFashionMnist } from "./fashion-mnist.ts";
import { type OpenImageOptions, openImageData } from "./images/open.ts";
import { checkTransform, transformNamed } from "./images/transforms.ts";
import { memorySource } from "./memory-source.ts";
import { loadMnist } from "./mnist.ts";
import { checkLoaded } from "./own-data.ts";
import { closeSplits, type ImageSource, type SourceSplits } from "./source.ts";
import { type SyntheticOptions, syntheticDataset } from "./synthetic.ts";

/** What a data set may be told; each takes what concerns it. */
export interface DatasetOptions {
  /** Where the files are, for data sets read from files. */
  readonly folder?: string;
  /** Shape and counts, for the data set `synthetic`. */
  readonly synthetic?: SyntheticOptions;
  /** How encoded images are read, for the data set `folder`. */
  readonly images?: FolderImages;
  /** Told what a user should know: splits that stand in for others, images that are skipped. */
  readonly say?: (line: string) => void;
}

/** How encoded images are read. */
export interface FolderImages extends Pick<OpenImageOptions, "size" | "workers" | "seed" | "onBadImage"> {
  /** Names of transforms, of training images and of all others; those of torchvision's recipe unless given. */
  readonly trainTransform?: string;
  readonly transform?: string;
}

/** Reads or makes the splits of a data set: arrays in memory, or sources of their own. */
export type DatasetLoader = (options: DatasetOptions) => Promise<{
  readonly [Split in keyof SourceSplits]: ImageDataset | ImageSource;
}>;

/** Data sets by name. */
export const datasets = new Registry<DatasetLoader>(
  "data set",
  {
    mnist: loadMnist,
    "fashion-mnist": loadFashionMnist,
    cifar10: ({ folder }) => loadCifar(CIFAR10, folder),
    cifar100: ({ folder }) => loadCifar(CIFAR100, folder),
    synthetic: async ({ synthetic }) => syntheticDataset(synthetic),
    folder: openFolder,
  },
  "async (options) => ({ train, validation, test })",
);

/** A folder of images, Parquet or tar files. */
async function openFolder({ folder, images = {}, say = () => {} }: DatasetOptions): Promise<SourceSplits> {
  if (folder === undefined) {
    throw new DataError({
      what: 'data set "folder"',
      facts: "no folder is named",
      expected: "one with images, Parquet or tar files",
      hint: "Give it with --data",
    });
  }
  const { size = 224, trainTransform = "random-resized-crop", transform = "center-crop", ...reading } = images;
  const chosen = { trainTransform: transformNamed(trainTransform, size), transform: transformNamed(transform, size) };
  for (const each of Object.values(chosen)) checkTransform(each);
  const opened = await openImageData(folder, {
    ...reading,
    ...chosen,
    size,
    onBad: (error, split) => say(`skipped in "${split}": ${error.message}`),
  });
  for (const note of opened.notes) say(`note: ${note}`);
  return opened;
}

/** The checked splits of the data set called `name`; throws for an unknown name or data that do not fit. */
export async function loadDataset(name: string, options: DatasetOptions = {}): Promise<SourceSplits> {
  const load = datasets.get(name);
  const loaded = await awaitOwn(`data set "${name}"`, async () => load(options));
  checkLoaded(name, loaded);
  const { train, validation, test } = loaded;
  const splits = { train: sourceOf(train), validation: sourceOf(validation), test: sourceOf(test) };
  try {
    checkSplits(name, splits);
  } catch (error) {
    await closeSplits(splits);
    throw error;
  }
  return splits;
}

function sourceOf(data: ImageDataset | ImageSource): ImageSource {
  if ("batches" in data) return data;
  checkDataset(data);
  return memorySource(data);
}

/** Throws DataError unless all splits have images, of one shape and with the same classes. */
function checkSplits(name: string, { train, ...others }: SourceSplits): void {
  const shapeOf = ({ channels, height, width, classes }: ImageSource) =>
    `[${channels}, ${height}, ${width}] in ${classes} classes`;
  for (const split of [train, ...Object.values(others)]) {
    if (split.count > 0 && shapeOf(split) === shapeOf(train)) continue;
    throw new DataError({
      what: `data set "${name}"`,
      facts: `"${split.name}" has ${split.count} images ${shapeOf(split)}`,
      expected: `some, ${shapeOf(train)} as "${train.name}"`,
    });
  }
}
