/**
 * CIFAR-10 and CIFAR-100: 60,000 colour images of 32 x 32, in their binary versions.
 *
 * A file is a row of records: the class (in CIFAR-100 first one of 20 coarse classes, then one of the 100 that are used
 * here), then 1024 values each of red, green and blue, row by row. Both give 50,000 images for training, of which the last
 * 5,000 validate, and 10,000 for test.
 *
 * Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemReason } from "../system-error.ts";
import { type DatasetSplits, holdOutValidation, type ImageDataset } from "./dataset.ts";
import { DataError } from "./errors.ts";

/** Values of an image. */
const IMAGE_SIZE = 3 * 32 * 32;

/** What the files of one of the two themselves do not say. */
export interface CifarFormat {
  readonly name: string;
  readonly classes: number;
  /** Bytes of classes before an image; the last one counts. */
  readonly labelBytes: number;
  readonly trainFiles: readonly string[];
  readonly testFile: string;
  /** The folder that the archive unpacks to. */
  readonly archiveFolder: string;
  /** Of the 50,000 training images, for values scaled to 0..1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

// Mean and standard deviation are those that recipes for these data sets commonly use, to four digits.
/** CIFAR-10 in its binary version: 10 classes of 32 x 32 colour images. */
export const CIFAR10: CifarFormat = {
  name: "cifar10",
  classes: 10,
  labelBytes: 1,
  trainFiles: [1, 2, 3, 4, 5].map((part) => `data_batch_${part}.bin`),
  testFile: "test_batch.bin",
  archiveFolder: "cifar-10-batches-bin",
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.247, 0.2435, 0.2616],
};

/** CIFAR-100 in its binary version, with the 100 fine labels. */
export const CIFAR100: CifarFormat = {
  name: "cifar100",
  classes: 100,
  labelBytes: 2,
  trainFiles: ["train.bin"],
  testFile: "test.bin",
  archiveFolder: "cifar-100-binary",
  mean: [0.5071, 0.4865, 0.4409],
  std: [0.2673, 0.2564, 0.2762],
};

/** The images and labels of one file; `file` names it in errors. Throws DataError for a part of a record or a label out of range. */
export function parseCifar(
  bytes: Uint8Array,
  { labelBytes, classes }: Pick<CifarFormat, "labelBytes" | "classes">,
  file: string,
): { readonly images: Uint8Array; readonly labels: Uint8Array } {
  const record = labelBytes + IMAGE_SIZE;
  const what = `CIFAR file "${file}"`;
  if (bytes.length % record !== 0) {
    throw new DataError({
      what,
      facts: `it has ${bytes.length} bytes, and at offset ${bytes.length - (bytes.length % record)} a part of a record begins`,
      expected: `records of ${record} bytes`,
      hint: "Unpack the archive again, of the binary version",
    });
  }
  const count = bytes.length / record;
  const images = new Uint8Array(count * IMAGE_SIZE);
  const labels = new Uint8Array(count);
  for (let image = 0; image < count; image++) {
    const begin = image * record + labelBytes;
    const label = bytes[begin - 1];
    if (label >= classes) {
      throw new DataError({
        what,
        facts: `at offset ${begin - 1} the label is ${label}`,
        expected: `0 to ${classes - 1} for ${classes} classes`,
        hint: "CIFAR-10 and CIFAR-100 have records of different lengths: check which one this is",
      });
    }
    labels[image] = label;
    images.set(bytes.subarray(begin, begin + IMAGE_SIZE), image * IMAGE_SIZE);
  }
  return { images, labels };
}

/** CIFAR-10 or CIFAR-100 from `folder`, or the folder within it that the archive unpacks to. */
export async function loadCifar(format: CifarFormat, folder: string | undefined): Promise<DatasetSplits> {
  if (folder === undefined) {
    throw new DataError({
      what: `data set "${format.name}"`,
      facts: "no folder is given",
      expected: `the folder of ${format.trainFiles[0]} and ${format.testFile}`,
      hint: "Get the binary version from https://www.cs.toronto.edu/~kriz/cifar.html and unpack it",
    });
  }
  const train = await loadSplit(format, folder, "train", format.trainFiles);
  const test = await loadSplit(format, folder, "test", [format.testFile]);
  return holdOutValidation(format.name, train, test);
}

async function loadSplit(
  format: CifarFormat,
  folder: string,
  split: string,
  files: readonly string[],
): Promise<ImageDataset> {
  const parts = [];
  for (const file of files) parts.push(parseCifar(await readPart(format, folder, file), format, file));
  const labels = Buffer.concat(parts.map((part) => part.labels));
  return {
    name: `${format.name} ${split}`,
    channels: 3,
    height: 32,
    width: 32,
    classes: format.classes,
    mean: format.mean,
    std: format.std,
    images: Buffer.concat(parts.map((part) => part.images)),
    labels,
    count: labels.length,
  };
}

async function readPart({ name, archiveFolder, testFile }: CifarFormat, folder: string, file: string): Promise<Buffer> {
  const paths = [join(folder, file), join(folder, archiveFolder, file)];
  let reason = "";
  for (const path of paths) {
    try {
      return await readFile(path);
    } catch (error) {
      reason ||= systemReason(error);
    }
  }
  throw new DataError({
    what: `data set "${name}"`,
    facts: `"${file}" cannot be read in "${folder}" (${reason})`,
    expected: `the files of the binary version, among them ${testFile}`,
    hint: "Get it from https://www.cs.toronto.edu/~kriz/cifar.html and unpack it",
  });
}
