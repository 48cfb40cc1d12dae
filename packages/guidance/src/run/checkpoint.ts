/**
 * Checkpoints: everything a run needs to go on, in two files.
 *
 * `<name>.json` names the other file, `<name>-<hash>.safetensors`, which holds the tensors, and has its size and hash and
 * the rest of the state. The tensors are complete on the disk under their own name before the JSON file is replaced, by
 * one rename, and the tensors of before are deleted after it: a crash at any moment leaves the old checkpoint or the new
 * one. Tensors are written and read one by one, since a large model with its optimizer's moments exceeds what one array
 * holds.
 */

import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  allocateSafetensorsArray,
  decodeSafetensorsHeader,
  encodeSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsTensor,
  type SafetensorsType,
  safetensorsBytes,
  safetensorsHeaderBytes,
} from "@guidance/tensor";
import { chunks, readAt } from "./chunks.ts";
import { RunError } from "./errors.ts";
import { type StagedFile, stageFile } from "./files.ts";
import { decodeJson, encodeJson, isJsonObject, type JsonObject } from "./json.ts";
import { checkTensors } from "./tensors.ts";

/** Tensors by name, and whatever else the run must remember: step, seeds, configuration. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly state: JsonObject;
}

/** What the JSON file says about its safetensors file. */
interface TensorsFile {
  /** Its name, in the same folder. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

const FORMAT = "guidance checkpoint";
const VERSION = 3;

/** Hexadecimal digits of the hash that a file name has; enough for the few files of one folder. */
const NAME_DIGITS = 16;

/** Writes the checkpoint `name` in `folder`, created if need be, in the place of an earlier one of that name. */
export async function writeCheckpoint(folder: string, name: string, checkpoint: Checkpoint): Promise<void> {
  const { tensors, state } = checkpoint;
  const header = encodeSafetensorsHeader(tensors);
  const hash = createHash("sha256");
  let bytes = 0;
  function* parts(): Generator<Uint8Array> {
    const arrays = [...header.tensors.keys()].map((key) => safetensorsBytes(key, tensors.get(key)!));
    for (const part of [header.bytes, ...arrays]) {
      for (const chunk of chunks(part)) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    }
  }
  await mkdir(folder, { recursive: true });
  const files: StagedFile[] = [];
  try {
    files.push(await stageFile(join(folder, `${name}.safetensors`), parts()));
    const sha256 = hash.digest("hex");
    const description = { file: `${name}-${sha256.slice(0, NAME_DIGITS)}.safetensors`, bytes, sha256 };
    const json = encodeJson({ format: FORMAT, version: VERSION, tensors: { ...description }, state }, 2);
    files.push(await stageFile(join(folder, `${name}.json`), [new TextEncoder().encode(`${json}\n`)]));
    await files[0].commit(join(folder, description.file));
    await files[1].commit();
    await removeOthers(folder, name, description.file);
  } finally {
    for (const file of files) await file.discard();
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

/**
 * The checkpoint `name` in `folder`.
 *
 * Throws RunError where a file is missing or damaged, where the two do not belong together, and, given the `expected`
 * tensors, where those in the file are others; the latter before any values are read.
 */
export async function readCheckpoint(
  folder: string,
  name: string,
  expected?: ReadonlyMap<string, SafetensorsType>,
): Promise<Checkpoint> {
  const path = join(folder, `${name}.json`);
  for (let text = await readText(path); ; ) {
    const { tensorsFile, state } = parseDescription(path, text);
    try {
      return { tensors: await readTensors(join(folder, tensorsFile.file), tensorsFile, expected), state };
    } catch (error) {
      // a run that is going on may have replaced the checkpoint since the JSON file was read
      const before = text;
      text = await readText(path);
      if (text === before) throw error;
    }
  }
}

function unreadable(path: string, error: unknown): RunError {
  return new RunError({
    what: "checkpoint",
    facts: `cannot read "${path}" (${(error as Error).message})`,
    hint: "Check the folder and the name of the checkpoint",
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

function parseDescription(path: string, text: string): { tensorsFile: TensorsFile; state: JsonObject } {
  const broken = (facts: string) =>
    new RunError({ what: "checkpoint", facts: `"${path}" ${facts}`, expected: "a checkpoint of this program" });
  let json: unknown;
  try {
    json = decodeJson(text);
  } catch (error) {
    throw broken(`is not JSON (${(error as Error).message})`);
  }
  const { format, version, tensors, state } = (json ?? {}) as Record<string, never>;
  if (format !== FORMAT) throw broken(`has format ${JSON.stringify(format)}, not "${FORMAT}"`);
  if (version !== VERSION) throw broken(`has version ${JSON.stringify(version)}, not ${VERSION}`);
  if (!isJsonObject(tensors) || !isJsonObject(state)) throw broken("lacks `tensors` or `state`");
  const { file, bytes, sha256 } = tensors;
  if (typeof file !== "string" || typeof bytes !== "number" || typeof sha256 !== "string") {
    throw broken("lacks file name, size or hash of the tensors");
  }
  if (basename(file) !== file) throw broken(`names the tensors "${file}", which is not a file beside it`);
  return { tensorsFile: { file, bytes, sha256 }, state };
}

async function readTensors(
  path: string,
  description: TensorsFile,
  expected: ReadonlyMap<string, SafetensorsType> | undefined,
): Promise<Map<string, SafetensorsTensor>> {
  const torn = (facts: string, wanted: string) =>
    new RunError({
      what: "checkpoint",
      facts: `"${path}" ${facts}`,
      expected: `${wanted}, as the JSON file beside it says`,
      hint: "One of the two files is damaged or from another moment: use another checkpoint of the run",
    });
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const { size } = await file.stat();
    if (size !== description.bytes) throw torn(`has ${size} bytes`, `${description.bytes} bytes`);
    const hash = createHash("sha256");
    const read = async (bytes: Uint8Array, offset: number) => {
      if (!(await readAt(file, bytes, offset))) {
        throw new RunError({ what: "checkpoint", facts: "the file became shorter while read" });
      }
    };
    const start = new Uint8Array(Math.min(8, size));
    await read(start, 0);
    let entries: Map<string, SafetensorsEntry>;
    try {
      const header = new Uint8Array(safetensorsHeaderBytes(start, size));
      await read(header, 0);
      hash.update(header);
      entries = decodeSafetensorsHeader(header, size).tensors;
    } catch (error) {
      throw torn(`has a damaged header (${(error as Error).message})`, `sha256 ${description.sha256}`);
    }
    if (expected) checkTensors(`checkpoint "${path}"`, entries, expected);
    const tensors = new Map<string, SafetensorsTensor>();
    for (const [name, { dtype, shape, begin }] of entries) {
      const tensor = { dtype, shape, data: allocateSafetensorsArray({ dtype, shape }) };
      const bytes = safetensorsBytes(name, tensor);
      await read(bytes, begin);
      for (const chunk of chunks(bytes)) hash.update(chunk);
      tensors.set(name, tensor);
    }
    const sha256 = hash.digest("hex");
    if (sha256 !== description.sha256) throw torn(`has sha256 ${sha256}`, description.sha256);
    return tensors;
  } finally {
    await file.close();
  }
}
