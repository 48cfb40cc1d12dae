/**
 * A folder of images as the three splits of training, whichever way they are stored.
 *
 * What the folder has decides: folders `train` and `val` with one folder a class (ImageFolder), Parquet files as Hugging
 * Face ships them, or tar files as webdataset does. What is missing is made up for, and said: without a validation split a
 * part of the training images is held out, and without test labels the validation split serves as both.
 */

import { basename } from "node:path";
import { DataError } from "../errors.ts";
import type { BadImageError } from "./bad-image.ts";
import { DecodePool } from "./decode-pool.ts";
import { type DecodedSource, type DecodedSourceOptions, decodedSource } from "./decoded-source.ts";
import type { EncodedImages } from "./encoded.ts";
import { holdOut } from "./hold-out.ts";
import { openImageFolder } from "./image-folder.ts";
import { openParquetImages } from "./parquet-images.ts";
import { findShards, listFolder, SPLIT_ALIASES, type SplitName } from "./splits.ts";
import { openTarImages } from "./tar-images.ts";
import { evaluationTransform, type ImageTransform, trainingTransform } from "./transform.ts";

/** How a folder of images is opened. */
export interface OpenImageOptions extends Omit<DecodedSourceOptions, "transform" | "workers" | "onBad"> {
  /** Name in messages; the folder's unless given. */
  readonly name?: string;
  /** Height and width of images; 224 unless given. */
  readonly size?: number;
  /** What the shorter side is resized to before the centre is cut out; 8/7 of `size` unless given. */
  readonly resize?: number;
  /** Of training images and of all others; RandomResizedCrop and flips, Resize and CenterCrop unless given. */
  readonly trainTransform?: ImageTransform;
  readonly transform?: ImageTransform;
  /** Threads that decode, for all splits together; all cores but one unless given. */
  readonly workers?: number;
  /** Part of the training images that validates where there is no validation split; 0.05 unless given. */
  readonly holdOut?: number;
  /** Told of each bad image that is skipped, once, and which split it is of. */
  readonly onBad?: (error: BadImageError, split: string) => void;
}

/** The splits of a folder of images. */
export interface OpenedImages {
  readonly train: DecodedSource;
  readonly validation: DecodedSource;
  /** The same object as `validation` where there are no labelled test images. */
  readonly test: DecodedSource;
  /** Whether scores of the test split are those of the validation split, and so chose the checkpoint they are of. */
  readonly testIsValidation: boolean;
  /** Number of training images held out for validation; 0 where there is a validation split. */
  readonly heldOut: number;
  /** What a user should know of the above, a sentence each. */
  readonly notes: readonly string[];
  /** Ends threads and closes files of all splits. */
  close(): Promise<void>;
}

/** Splits as they are stored. */
type EncodedSplits = Partial<Record<SplitName, EncodedImages>>;

/** The splits of a folder; throws DataError where it has no training images, or what it has does not fit together. */
export async function openImageData(folder: string, options: OpenImageOptions = {}): Promise<OpenedImages> {
  const { name = basename(folder), size = 224, resize, workers, onBad, holdOut: part = 0.05, ...others } = options;
  const { trainTransform, transform, ...shared } = others;
  const evaluation = evaluationTransform({ size, ...(resize === undefined ? {} : { resize }) });
  checkSizes(evaluation);
  const notes: string[] = [];
  const encoded = await openSplits(folder, name, notes);
  const pool = new DecodePool(workers);
  const close = async () => {
    await pool.close();
    await Promise.all(Object.values(encoded).map((images) => images.close()));
  };
  try {
    const stored = { ...encoded };
    if (!stored.train) throw noTraining(folder, Object.keys(encoded));
    dropUnlabelledTest(stored, notes);
    const heldOut = holdOutValidation(stored, stored.train, name, part, notes);
    checkSplits(stored);
    const open = (images: EncodedImages, transform: ImageTransform) =>
      decodedSource(images, {
        ...shared,
        transform,
        workers: pool,
        ...(onBad ? { onBad: (error) => onBad(error, images.name) } : {}),
      });
    const train = await open(stored.train, trainTransform ?? trainingTransform({ size }));
    const validation = await open(stored.validation!, transform ?? evaluation);
    const test = stored.test ? await open(stored.test, transform ?? evaluation) : validation;
    if (!stored.test) notes.push(`"${name}" has no test split with labels: the validation split serves as both`);
    return { train, validation, test, testIsValidation: test === validation, heldOut, notes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function checkSizes({ size, resize }: { size: number; resize: number }): void {
  if (Number.isInteger(size) && Number.isInteger(resize) && size >= 1 && resize >= size) return;
  throw new DataError({
    what: "size of images",
    facts: `the shorter side becomes ${resize}, of which ${size} are kept`,
    expected: "whole numbers, the first not below the second",
  });
}

function noTraining(folder: string, found: readonly string[]): DataError {
  return new DataError({
    what: `folder "${folder}"`,
    facts: found.length > 0 ? `it has images for ${found.join(" and ")}, and none for training` : "it has no images",
    expected: "a folder `train` with one folder a class, or Parquet or tar files such as train-00000-of-00294.parquet",
  });
}

/** Opens every split that the folder has. */
async function openSplits(folder: string, name: string, notes: string[]): Promise<EncodedSplits> {
  const entries = await listFolder(folder);
  const parquet = await findShards(folder, ".parquet");
  const tar = parquet.size > 0 ? new Map<SplitName, string[]>() : await findShards(folder, ".tar");
  const folders = new Map<SplitName, string>();
  if (parquet.size + tar.size === 0) {
    for (const [split, aliases] of Object.entries(SPLIT_ALIASES) as [SplitName, readonly string[]][]) {
      const entry = entries.find((candidate) => candidate.isFolder && aliases.includes(candidate.name));
      if (entry) folders.set(split, entry.path);
    }
  }
  const opened: EncodedSplits = {};
  try {
    for (const split of ["train", "validation", "test"] as const) {
      const options = {
        name: `${name} ${split}`,
        ...(opened.train && folders.size > 0 ? { classNames: opened.train.classNames } : {}),
      };
      const shards = parquet.get(split) ?? tar.get(split);
      const path = folders.get(split);
      if (shards) opened[split] = await (parquet.size > 0 ? openParquetImages : openTarImages)(shards, options);
      else if (path && split === "test" && !(await listFolder(path)).some(({ isFolder }) => isFolder)) {
        notes.push(`the images in "${path}" are not used: they lie in no folders of classes, and so have no labels`);
      } else if (path) opened[split] = await openImageFolder(path, options);
    }
    return opened;
  } catch (error) {
    await Promise.all(Object.values(opened).map((images) => images.close()));
    throw error;
  }
}

/** Leaves out a test split whose labels are -1. */
function dropUnlabelledTest(stored: EncodedSplits, notes: string[]): void {
  const { test } = stored;
  if (!test) return;
  let hidden = 0;
  for (let index = 0; index < test.count; index++) if (test.label(index) === -1) hidden++;
  if (hidden === 0) return;
  notes.push(
    `the images of "${test.name}" are not used: ${hidden} of ${test.count} have the label -1, which is hidden`,
  );
  delete stored.test;
}

/** Sees to it that there is a validation split; gives the number of images held out for it. */
function holdOutValidation(
  stored: EncodedSplits,
  train: EncodedImages,
  name: string,
  part: number,
  notes: string[],
): number {
  if (stored.validation) return 0;
  const [kept, heldOut] = holdOut(train, part, [`${name} train`, `${name} validation`]);
  notes.push(
    `"${name}" has no validation split: ${heldOut.count} of ${train.count} training images are held out for it`,
  );
  stored.train = kept;
  stored.validation = heldOut;
  return heldOut.count;
}

/** Throws DataError unless the splits have the same classes; those that only have numbers get all that occur. */
function checkSplits(stored: EncodedSplits): void {
  const splits = Object.entries(stored) as [SplitName, EncodedImages][];
  const longest = splits.reduce(
    (most, [, images]) => (images.classNames.length > most.length ? images.classNames : most),
    [...stored.train!.classNames] as readonly string[],
  );
  for (const [split, images] of splits) {
    const at = images.classNames.findIndex((className, label) => className !== longest[label]);
    const numbered = longest.every((className, label) => className === String(label));
    if (at >= 0 || (images.classNames.length < longest.length && !numbered)) {
      const label = at >= 0 ? at : images.classNames.length;
      throw new DataError({
        what: `classes of "${images.name}"`,
        facts: `class ${label} is "${images.classNames[label] ?? "missing"}", and "${longest[label]}" in another split`,
        expected: "the same classes in every split",
      });
    }
    if (images.classNames.length < longest.length) stored[split] = { ...images, classNames: longest };
  }
}
