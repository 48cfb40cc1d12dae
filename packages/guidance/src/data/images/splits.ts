/** Splits of a data set on disk: which files and folders are which. */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemReason } from "../../system-error.ts";
import { DataError } from "../errors.ts";

export type SplitName = "train" | "validation" | "test";

/** What folders and files call the splits. */
export const SPLIT_ALIASES: Readonly<Record<SplitName, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "val", "valid"],
  test: ["test"],
};

/** Orders names by code point, as Python does; by UTF-16 units, surrogates would come before U+E000 to U+FFFF. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return surrogatesLast(left) - surrogatesLast(right);
  }
  return a.length - b.length;
}

function surrogatesLast(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

/** An entry of a folder; links are followed. */
export interface Entry {
  readonly name: string;
  readonly path: string;
  readonly isFolder: boolean;
}

/** The entries of a folder in the order of their names; throws DataError where it cannot be read. */
export async function listFolder(folder: string): Promise<Entry[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const listed = entries.map(async (entry) => {
      const path = join(folder, entry.name);
      const isFolder = entry.isSymbolicLink() ? (await stat(path)).isDirectory() : entry.isDirectory();
      return { name: entry.name, path, isFolder };
    });
    return (await Promise.all(listed)).sort((a, b) => compareNames(a.name, b.name));
  } catch (error) {
    throw new DataError({
      what: `folder "${folder}"`,
      facts: `it cannot be read (${systemReason(error)})`,
      expected: "a folder of images, Parquet files or tar files",
    });
  }
}

/** The split a shard belongs to, by a word of its name (`train-00000-of-00294.parquet`), or else by its folder. */
export function splitOfShard(name: string, folderName: string): SplitName | undefined {
  const names = Object.keys(SPLIT_ALIASES) as SplitName[];
  for (const words of [name.toLowerCase().split(/[^a-z]+/), folderName.toLowerCase().split(/[^a-z]+/)]) {
    const split = names.find((candidate) => SPLIT_ALIASES[candidate].some((alias) => words.includes(alias)));
    if (split) return split;
  }
  return undefined;
}

/** The shards of each split in a folder and the folders within it, in the order of their paths. */
export async function findShards(folder: string, extension: string): Promise<Map<SplitName, string[]>> {
  const shards = new Map<SplitName, string[]>();
  const strays: string[] = [];
  const visit = async (path: string, name: string, depth: number): Promise<void> => {
    for (const entry of await listFolder(path)) {
      // Hidden folders hold the caches of download tools; Hugging Face's layouts are at most two folders deep.
      if (entry.isFolder && depth < 2 && !entry.name.startsWith(".")) await visit(entry.path, entry.name, depth + 1);
      if (entry.isFolder || !entry.name.endsWith(extension)) continue;
      const split = splitOfShard(entry.name, depth === 0 ? "" : name);
      if (split) shards.set(split, [...(shards.get(split) ?? []), entry.path]);
      else strays.push(entry.path);
    }
  };
  await visit(folder, "", 0);
  if (shards.size === 0 && strays.length > 0) {
    throw new DataError({
      what: `folder "${folder}"`,
      facts: `"${strays[0]}" does not say which split it belongs to`,
      expected: `names or folders with one of ${Object.values(SPLIT_ALIASES).flat().join(", ")}`,
      hint: `Rename it, e.g. to train-00000${extension}`,
    });
  }
  return shards;
}
