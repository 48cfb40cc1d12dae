/**
 * ImageFolder: a folder for each split, in it one for each class, in it the images, at any depth.
 *
 * Classes, the order of images and which files are images are torchvision's, so that indices and labels agree with it.
 *
 * Source: torchvision 0.14, `datasets.ImageFolder`.
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { systemReason } from "../../system-error.ts";
import { DataError } from "../errors.ts";
import type { EncodedImages } from "./encoded.ts";
import { compareNames, type Entry, listFolder } from "./splits.ts";

/** torchvision's. Files of BMP, PPM and PGM are listed, so that indices agree, but cannot be decoded here. */
const EXTENSIONS = [".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"];

/** Folders within folders of a class; more are taken for a loop of links. */
const DEEPEST = 16;

/** One split of an ImageFolder. */
export interface ImageFolderOptions {
  /** Name in messages, e.g. `photos train`. */
  readonly name: string;
  /** Classes that this split must have, by label; its own folders unless given. */
  readonly classNames?: readonly string[];
}

/** The images of `folder`, in which each class has a folder; throws DataError naming a class without images. */
export async function openImageFolder(
  folder: string,
  { name, classNames }: ImageFolderOptions,
): Promise<EncodedImages> {
  const found = (await listFolder(folder)).filter(({ isFolder }) => isFolder).map((entry) => entry.name);
  if (classNames) checkClasses(folder, found, classNames);
  const classes = classNames ?? found;
  if (classes.length === 0) {
    throw new DataError({
      what: `images of "${name}"`,
      facts: `"${folder}" has no folders`,
      expected: "one for each class, with the images in it",
    });
  }
  const paths: string[] = [];
  const labels: number[] = [];
  for (const [label, className] of classes.entries()) {
    const images = await listImages(join(folder, className));
    if (images.length === 0) {
      throw new DataError({
        what: `images of "${name}"`,
        facts: `class "${className}" has none: "${join(folder, className)}" has no file of an image`,
        expected: `files that end in ${EXTENSIONS.join(", ")}`,
        hint: "Remove the folder of a class that is not meant to be one",
      });
    }
    for (const image of images) {
      paths.push(relative(folder, image));
      labels.push(label);
    }
  }
  const fingerprint = createHash("sha256");
  for (const path of paths) fingerprint.update(path.replaceAll("\\", "/")).update("\0");
  return {
    name,
    count: paths.length,
    classNames: classes,
    label: (index) => labels[index],
    read: async (index) => {
      const path = join(folder, paths[index]);
      return { bytes: await readImage(path), path };
    },
    fingerprint: fingerprint.digest("hex"),
    close: async () => {},
  };
}

/** Throws DataError, naming classes, unless `found` are `expected`. */
function checkClasses(folder: string, found: readonly string[], expected: readonly string[]): void {
  const what = `classes of "${folder}"`;
  const list = (names: readonly string[]) =>
    `${names
      .slice(0, 5)
      .map((name) => `"${name}"`)
      .join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;
  const missing = expected.filter((name) => !found.includes(name));
  if (missing.length > 0) {
    throw new DataError({
      what,
      facts: `there is no folder ${list(missing)}`,
      expected: `the ${expected.length} classes of the training split`,
      hint: "torchvision numbers classes by their folders, so that a missing one would shift all labels behind it",
    });
  }
  const unknown = found.filter((name) => !expected.includes(name));
  if (unknown.length === 0) return;
  throw new DataError({
    what,
    facts: `the folders ${list(unknown)} are no classes of the training split`,
    expected: `the ${expected.length} classes of the training split`,
  });
}

/** Files of images in `folder` and the folders within it: in the order of the folders' paths, and by name in each. */
async function listImages(folder: string): Promise<string[]> {
  const lists: { folder: string; images: string[] }[] = [];
  const visit = async (path: string, depth: number): Promise<void> => {
    if (depth > DEEPEST) {
      throw new DataError({
        what: `folder "${path}"`,
        facts: `it lies ${depth} folders deep`,
        hint: "Look for a loop of links",
      });
    }
    const entries = await listFolder(path);
    lists.push({ folder: path, images: entries.filter(isImage).map((entry) => entry.path) });
    for (const entry of entries) if (entry.isFolder) await visit(entry.path, depth + 1);
  };
  await visit(folder, 0);
  return lists.sort((a, b) => compareNames(a.folder, b.folder)).flatMap(({ images }) => images);
}

function isImage({ name, isFolder }: Entry): boolean {
  return !isFolder && EXTENSIONS.some((extension) => name.toLowerCase().endsWith(extension));
}

async function readImage(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new DataError({
      what: `image "${path}"`,
      facts: `it cannot be read (${systemReason(error)})`,
      hint: "Leave the folder as it is while it is used",
    });
  }
}
