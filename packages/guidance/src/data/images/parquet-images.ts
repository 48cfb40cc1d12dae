/**
 * Parquet shards as Hugging Face ships ImageNet: `train-00000-of-00294.parquet` and so on, with many row groups in each.
 *
 * One image cannot be read without its row group, so the groups read last are kept, enough of them for the window in which
 * an epoch's order stays ({@link groupedPermutation}) and the one that reading ahead begins.
 */

import { createHash } from "node:crypto";
import { DataError } from "../errors.ts";
import { BadImageError } from "./bad-image.ts";
import type { EncodedImages } from "./encoded.ts";
import { WINDOW_IMAGES } from "./order.ts";
import { openParquetShard, type ParquetShard, type RowBytes, type RowGroup } from "./parquet-shard.ts";

/** How Parquet shards are read. */
export interface ParquetImagesOptions {
  /** Name in messages, e.g. `imagenet train`. */
  readonly name: string;
  /** What the classes are called, by label; as the files say, or else their numbers, unless given. */
  readonly classNames?: readonly string[];
  /** Images whose row groups are kept in memory, at least two groups; two windows of an epoch's order unless given. */
  readonly keptImages?: number;
}

/** A row group, and where its images begin in the split. */
interface Group {
  readonly shard: ParquetShard;
  readonly group: RowGroup;
  readonly start: number;
}

/** Shards opened at a time, about as many as Node has threads for files. */
const SHARDS_AT_ONCE = 4;

/** The images of Parquet shards, in the order of `paths` and of their rows; throws DataError for what is damaged. */
export async function openParquetImages(
  paths: readonly string[],
  { name, classNames, keptImages = 2 * WINDOW_IMAGES }: ParquetImagesOptions,
): Promise<EncodedImages> {
  const shards: ParquetShard[] = [];
  const close = async () => {
    await Promise.all(shards.splice(0).map(({ file }) => file.close()));
  };
  try {
    for (let first = 0; first < paths.length; first += SHARDS_AT_ONCE) {
      const opened = await Promise.allSettled(paths.slice(first, first + SHARDS_AT_ONCE).map(openParquetShard));
      for (const result of opened) if (result.status === "fulfilled") shards.push(result.value);
      for (const result of opened) if (result.status === "rejected") throw result.reason;
    }
    return { ...describe(shards, name, classNames), read: groupReader(shards, keptImages), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** All that is known of the images without reading them. */
function describe(shards: readonly ParquetShard[], name: string, given: readonly string[] | undefined) {
  const labels = new Int32Array(shards.reduce((sum, shard) => sum + shard.labels.length, 0));
  const fingerprint = createHash("sha256");
  let count = 0;
  for (const shard of shards) {
    labels.set(shard.labels, count);
    count += shard.labels.length;
    fingerprint.update(`${shard.file.size} ${shard.groups.map(({ offset, rows }) => `${offset} ${rows}`).join(" ")}\n`);
  }
  const greatest = labels.reduce((most, label) => Math.max(most, label), -1);
  const numbers = Array.from({ length: greatest + 1 }, (_, label) => String(label));
  return {
    name,
    count,
    classNames: given ?? commonNames(name, shards) ?? numbers,
    label: (index: number) => labels[index],
    groups: shards.flatMap(({ groups }) => groups.map(({ rows }) => rows)),
    fingerprint: fingerprint.digest("hex"),
  };
}

/** The names that the shards give their classes; throws DataError where they differ. */
function commonNames(name: string, shards: readonly ParquetShard[]): readonly string[] | undefined {
  const [first] = shards;
  const other = shards.find(({ classNames }) => classNames?.join("\0") !== first.classNames?.join("\0"));
  if (!other) return first?.classNames;
  throw new DataError({
    what: `images of "${name}"`,
    facts: `"${first.file.path}" and "${other.file.path}" name their classes differently`,
    expected: "shards of one data set",
  });
}

/** Reads images through the row groups that were read last. */
function groupReader(shards: readonly ParquetShard[], keptImages: number): EncodedImages["read"] {
  let count = 0;
  const groups: Group[] = [];
  for (const shard of shards) {
    for (const group of shard.groups) {
      groups.push({ shard, group, start: count });
      count += group.rows;
    }
  }
  // The group used last is the last entry.
  const kept = new Map<Group, Promise<RowBytes[]>>();
  const readGroup = (group: Group): Promise<RowBytes[]> => {
    const images = kept.get(group) ?? group.shard.readGroup(group.group);
    kept.delete(group);
    kept.set(group, images);
    images.catch(() => kept.delete(group));
    let held = [...kept.keys()].reduce((sum, { group: { rows } }) => sum + rows, 0);
    for (const oldest of kept.keys()) {
      if (held <= keptImages || kept.size <= 2) break;
      kept.delete(oldest);
      held -= oldest.group.rows;
    }
    return images;
  };
  return async (index) => {
    const group = findGroup(groups, index);
    const row = index - group.start;
    const path = `${group.shard.file.path}, row ${group.group.start + row}`;
    const bytes = (await readGroup(group))[row];
    if (bytes === undefined) throw new BadImageError(path, "the row has no image");
    return { bytes, path };
  };
}

/** The group that image `index` lies in: the last one that begins at or before it. */
function findGroup(groups: readonly Group[], index: number): Group {
  let low = 0;
  let high = groups.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (groups[middle].start <= index) low = middle;
    else high = middle - 1;
  }
  return groups[low];
}
