/**
 * WebDataset: tar shards in which an image `key.jpg` and its class `key.cls` share a key.
 *
 * Each shard's headers are read once, and images by their offsets from then on, so that any order costs the same. The
 * index is kept in memory only: some 100 bytes an image.
 *
 * Source: webdataset's documentation, "The WebDataset Format".
 */

import { createHash } from "node:crypto";
import { DataError } from "../errors.ts";
import { type EncodedImages, GREATEST_LABEL } from "./encoded.ts";
import { FileReader } from "./file-reader.ts";
import { indexTar, type TarEntry } from "./tar-index.ts";

/** Extensions of images, as webdataset decodes them. */
const EXTENSIONS = ["jpg", "jpeg", "png", "webp", "tif", "tiff", "ppm", "pgm", "pbm"];

/** Shards indexed at a time, about as many as Node has threads for files. */
const SHARDS_AT_ONCE = 4;

/** How tar shards are read. */
export interface TarImagesOptions {
  /** Name in messages, e.g. `photos train`. */
  readonly name: string;
  /** What the classes are called, by label; their numbers, up to the greatest that occurs, unless given. */
  readonly classNames?: readonly string[];
}

/** An image, and its class. */
interface Sample {
  readonly shard: FileReader;
  readonly image: TarEntry;
  readonly label: number;
}

/** The images of tar shards, in the order of `paths` and within them; throws DataError for what is damaged or incomplete. */
export async function openTarImages(
  paths: readonly string[],
  { name, classNames }: TarImagesOptions,
): Promise<EncodedImages> {
  const shards: FileReader[] = [];
  const close = async () => {
    await Promise.all(shards.splice(0).map((shard) => shard.close()));
  };
  try {
    for (const path of paths) shards.push(await FileReader.open(path));
    const samples: Sample[] = [];
    for (let first = 0; first < shards.length; first += SHARDS_AT_ONCE) {
      const lists = await Promise.all(shards.slice(first, first + SHARDS_AT_ONCE).map(readSamples));
      for (const list of lists) for (const sample of list) samples.push(sample);
    }
    const greatest = samples.reduce((most, { label }) => Math.max(most, label), -1);
    const fingerprint = createHash("sha256");
    for (const { image } of samples) fingerprint.update(`${image.name}\0${image.size}\0`);
    return {
      name,
      count: samples.length,
      classNames: classNames ?? Array.from({ length: greatest + 1 }, (_, label) => String(label)),
      label: (index) => samples[index].label,
      read: async (index) => {
        const { shard, image } = samples[index];
        const path = `${shard.path}, "${image.name}" at offset ${image.offset}`;
        return { bytes: await shard.read(image.offset, image.size), path };
      },
      fingerprint: fingerprint.digest("hex"),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The samples of a shard: files of one key, which is all of a path before the first dot of its last part. */
async function readSamples(shard: FileReader): Promise<Sample[]> {
  const samples = new Map<string, { image?: TarEntry; label?: TarEntry }>();
  for (const entry of await indexTar(shard)) {
    const [, key, extension] = /^((?:.*\/)?[^/.]+)\.([^/]+)$/s.exec(entry.name) ?? [];
    if (key === undefined) continue;
    const kind = extension.toLowerCase();
    const part = kind === "cls" ? "label" : EXTENSIONS.includes(kind) ? "image" : undefined;
    if (!part) continue;
    const sample = samples.get(key) ?? {};
    if (sample[part]) throw shard.fault(entry.offset, `"${entry.name}" is a second ${part} of the sample "${key}"`);
    samples.set(key, { ...sample, [part]: entry });
  }
  const read: Sample[] = [];
  for (const [key, { image, label }] of samples) {
    if (!image) continue;
    if (!label) {
      throw new DataError({
        what: `shard "${shard.path}"`,
        facts: `"${image.name}" at offset ${image.offset} has no class: there is no "${key}.cls"`,
        expected: "a file with the number of the class beside each image",
      });
    }
    read.push({ shard, image, label: readClass(shard, label) });
  }
  return read;
}

function readClass(shard: FileReader, { name, offset, size, bytes }: TarEntry): number {
  const text = bytes && new TextDecoder().decode(bytes).trim();
  if (text && /^(\d+|-1)$/.test(text) && Number(text) <= GREATEST_LABEL) return Number(text);
  throw new DataError({
    what: `shard "${shard.path}"`,
    facts: `"${name}" at offset ${offset} ${text === undefined ? `has ${size} bytes` : `holds "${text}"`}`,
    expected: "the number of a class, in text",
  });
}
