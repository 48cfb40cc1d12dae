/** The layout that MNIST and its relatives share: four IDX files in a folder, plain or gzipped. */

import { access } from "node:fs/promises";
import { join } from "node:path";
import { type DatasetSplits, holdOutValidation, type ImageDataset } from "./dataset.ts";
import { DataError } from "./errors.ts";
import { readIdxImages, readIdxLabels } from "./idx.ts";

/** What the files themselves do not say. */
export interface IdxFolder {
  readonly name: string;
  readonly folder: string;
  readonly classes: number;
  /** Mean and standard deviation of the training images, for values scaled to 0..1. */
  readonly mean: number;
  readonly std: number;
  /** How to get the files, for the error that says that they are missing. */
  readonly hint: string;
}

const FILES = {
  train: ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
  test: ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
} as const;

async function isReadable(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** The path of `file` in the folder, plain before gzipped. */
async function locate({ name, folder, hint }: IdxFolder, file: string): Promise<string> {
  for (const candidate of [join(folder, file), join(folder, `${file}.gz`)]) {
    if (await isReadable(candidate)) return candidate;
  }
  throw new DataError({
    what: `data set "${name}"`,
    facts: `the folder "${folder}" has no readable file "${file}" or "${file}.gz"`,
    expected: "the four IDX files of training and test images and labels",
    hint,
  });
}

async function loadSplit(source: IdxFolder, split: "train" | "test"): Promise<ImageDataset> {
  const [imagesFile, labelsFile] = FILES[split];
  const images = await readIdxImages(await locate(source, imagesFile));
  const labels = await readIdxLabels(await locate(source, labelsFile), source.classes);
  const [count, height, width] = images.shape;
  if (labels.data.length !== count) {
    throw new DataError({
      what: `data set "${source.name}"`,
      facts: `"${imagesFile}" has ${count} images and "${labelsFile}" has ${labels.data.length} labels`,
      expected: "one label for each image",
      hint: "Check that both files belong together",
    });
  }
  return {
    name: `${source.name} ${split}`,
    channels: 1,
    height,
    width,
    classes: source.classes,
    mean: [source.mean],
    std: [source.std],
    images: images.data,
    labels: labels.data,
    count,
  };
}

/** Throws DataError unless the test images are of the training images' size, and there are some. */
function checkTest({ name, folder }: IdxFolder, { train, test }: DatasetSplits): void {
  const [file] = FILES.test;
  const size = ({ height, width }: ImageDataset) => `${height} x ${width}`;
  const facts = (text: string, expected: string): DataError =>
    new DataError({
      what: `data set "${name}"`,
      facts: `"${file}" in "${folder}" has ${text}`,
      expected,
      hint: "Check that all four files belong together",
    });
  if (test.count === 0) throw facts("0 images", "at least 1 to test on");
  if (size(test) !== size(train)) {
    throw facts(`images of ${size(test)}`, `${size(train)}, the size of those in "${FILES.train[0]}"`);
  }
}

/** Training, validation and test images of a folder of IDX files; throws DataError for missing, damaged or mismatched files. */
export async function loadIdxFolder(source: IdxFolder): Promise<DatasetSplits> {
  const splits = holdOutValidation(source.name, await loadSplit(source, "train"), await loadSplit(source, "test"));
  checkTest(source, splits);
  return splits;
}
