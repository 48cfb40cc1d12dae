/**
 * Checkpoints: everything a run needs to go on, in two files.
 *
 * `<name>.json` names the other file, `<name>-<hash>.safetensors`, which holds the tensors, and has its size and hash and
 * the rest of the state. The tensors are complete on the disk under their own name before the JSON file is replaced, by
 * one rename, and the tensors of before are deleted after it: a crash at any moment leaves the old checkpoint or the new
 * one. Tensors are written part by part, since a large model with its optimizer's moments would not fit into memory twice.
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { encodeSafetensorsHeader, type SafetensorsType, ValueError } from "@guidance/tensor";
import { chunks } from "./chunks.ts";
import { RunError } from "./errors.ts";
import { makeFolder, type StagedFile, stageCopy, stageFile } from "./files.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { missingCheckpoint } from "./missing-checkpoint.ts";
import { readSealed, type SealFormat, seal } from "./sealed.ts";

/** Tensors whose values are had part by part. */
export interface TensorSource {
  readonly types: ReadonlyMap<string, SafetensorsType>;
  /** The bytes of tensor `name` as safetensors has them, one part after another. */
  parts(name: string): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Tensors by name, and whatever else the run must remember: step, seeds, configuration. */
export interface Checkpoint {
  readonly tensors: TensorSource;
  readonly state: JsonObject;
}

/** What the JSON file says about its safetensors file. */
export interface TensorsFile {
  /** Its name, in the same folder. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

const FORMAT: SealFormat = { name: "checkpoint", version: 4, hint: "Use another checkpoint of the run" };

/** Hexadecimal digits of the hash that a file name has; enough for the few files of one folder. */
const NAME_DIGITS = 16;

/**
 * Writes a checkpoint into `folder`, created if need be, under each of `names`, one after another, in the place of earlier
 * ones of these names. The tensors are read once.
 */
export async function writeCheckpoint(
  folder: string,
  names: readonly string[],
  { tensors, state }: Checkpoint,
): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const part of fileParts(tensors)) {
      for (const chunk of chunks(part)) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    }
  }
  await makeFolder(folder);
  const last = names[names.length - 1];
  const staged = await stageFile(join(folder, `${last}.safetensors`), hashed());
  try {
    const sha256 = hash.digest("hex");
    for (const name of names) {
      const own = name === last ? staged : await staged.again(join(folder, `${name}.safetensors`));
      const file = tensorsName(name, sha256);
      await commitCheckpoint(folder, name, own, seal(FORMAT, { state, tensors: { file, bytes, sha256 } }, 2), file);
    }
  } finally {
    await staged.discard();
  }
}

/** The name of the file with the tensors of checkpoint `name`. */
const tensorsName = (name: string, sha256: string): string => `${name}-${sha256.slice(0, NAME_DIGITS)}.safetensors`;

/** Puts checkpoint `source` of `folder`, known to be whole, in the place of checkpoint `name` too. */
export async function copyCheckpoint(folder: string, source: string, name: string): Promise<void> {
  const { tensors, state } = await readDescription(folder, source);
  const staged = await stageCopy(join(folder, tensors.file), join(folder, `${name}.safetensors`));
  try {
    const file = tensorsName(name, tensors.sha256);
    await commitCheckpoint(folder, name, staged, seal(FORMAT, { state, tensors: { ...tensors, file } }, 2), file);
  } finally {
    await staged.discard();
  }
}

/** The parts of a safetensors file. */
async function* fileParts({ types, parts }: TensorSource): AsyncGenerator<Uint8Array> {
  const header = encodeSafetensorsHeader(types);
  yield header.bytes;
  for (const [name, { begin, end }] of header.tensors) {
    let bytes = 0;
    for await (const part of parts(name)) {
      bytes += part.length;
      yield part;
    }
    if (bytes === end - begin) continue;
    throw new ValueError({ what: `tensor "${name}"`, facts: `it has ${bytes} bytes`, expected: `${end - begin}` });
  }
}

/** Puts tensors and description of a checkpoint in their places, and removes the tensors of before. */
async function commitCheckpoint(
  folder: string,
  name: string,
  tensors: StagedFile,
  description: string,
  file: string,
): Promise<void> {
  const staged = [tensors];
  try {
    const json = await stageFile(join(folder, `${name}.json`), [new TextEncoder().encode(`${description}\n`)]);
    staged.push(json);
    await tensors.commit(join(folder, file));
    await json.commit();
    await removeOthers(folder, name, file);
  } finally {
    for (const each of staged) await each.discard();
  }
}

/** Removes tensors of checkpoint `name` that are not those of `current`: the ones before, and what a crash left. */
async function removeOthers(folder: string, name: string, current: string): Promise<void> {
  const isOurs = (file: string) =>
    file.startsWith(`${name}-`) && /^-[\da-f]{16}\.safetensors$/.test(file.slice(name.length));
  const others = (await readdir(folder)).filter((file) => isOurs(file) && file !== current);
  await Promise.all(others.map((file) => rm(join(folder, file), { force: true })));
}

/** Removes checkpoint `name` of `folder`: first what makes it one, so that a crash leaves no half of it. */
export async function removeCheckpoint(folder: string, name: string): Promise<void> {
  await rm(join(folder, `${name}.json`), { force: true });
  await removeOthers(folder, name, "");
}

/** Throws RunError unless `folder` has a checkpoint `name`; its tensors are not looked at. */
export async function checkCheckpoint(folder: string, name: string): Promise<void> {
  await readDescription(folder, name);
}

/** What `<name>.json` in `folder` says; throws RunError where it is missing or damaged. */
export async function readDescription(
  folder: string,
  name: string,
): Promise<{ readonly tensors: TensorsFile; readonly state: JsonObject }> {
  const path = join(folder, `${name}.json`);
  if (!existsSync(path)) throw await missingCheckpoint(folder, name);
  const { tensors, state } = await readSealed(path, FORMAT);
  const broken = (facts: string) =>
    new RunError({ what: FORMAT.name, facts: `"${path}" ${facts}`, expected: "a checkpoint of this program" });
  if (!isJsonObject(tensors) || !isJsonObject(state)) throw broken("lacks `tensors` or `state`");
  const { file, bytes, sha256 } = tensors;
  if (typeof file !== "string" || typeof bytes !== "number" || typeof sha256 !== "string") {
    throw broken("lacks file name, size or hash of the tensors");
  }
  if (basename(file) !== file || !file.endsWith(".safetensors")) {
    throw broken(`names the tensors "${file}", which is not a file beside it`);
  }
  return { tensors: { file, bytes, sha256 }, state };
}
