/**
 * Reading a checkpoint: nothing of it is used before the hash of all of it was compared, and its tensors are read one by
 * one after that, so that none but the one at hand is in memory.
 */

import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import {
  allocateSafetensorsArray,
  decodeSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsTensor,
  type SafetensorsType,
  safetensorsBytes,
  safetensorsHeaderBytes,
} from "@guidance/tensor";
import { systemReason } from "../system-error.ts";
import { readDescription, type TensorsFile } from "./checkpoint.ts";
import { hashOpenFile, readAt } from "./chunks.ts";
import { RunError } from "./errors.ts";
import type { JsonObject } from "./json.ts";

/** A checkpoint that was found whole. */
export interface OpenCheckpoint {
  readonly state: JsonObject;
  /** In the order of the file. */
  readonly types: ReadonlyMap<string, SafetensorsType>;
  /** The tensor `name`, one of `types`. */
  read(name: string): Promise<SafetensorsTensor>;
  /** Closes the file. */
  close(): Promise<void>;
}

/** Throws where the tensors of a checkpoint are not those that are needed. */
export type TypesCheck = (types: ReadonlyMap<string, SafetensorsType>) => void;

/**
 * The checkpoint `name` in `folder`.
 *
 * Throws RunError where a file is missing or damaged, or where the two do not belong together, and what `check` throws;
 * the latter before any values are read.
 */
export async function openCheckpoint(
  folder: string,
  name: string,
  check: TypesCheck = () => {},
): Promise<OpenCheckpoint> {
  for (let description = await readDescription(folder, name); ; ) {
    const { tensors, state } = description;
    try {
      return { ...(await openTensors(join(folder, tensors.file), tensors, check)), state };
    } catch (error) {
      // a run that is going on may have replaced the checkpoint since the JSON file was read
      description = await readDescription(folder, name);
      if (description.tensors.sha256 === tensors.sha256) throw error;
    }
  }
}

async function openTensors(
  path: string,
  description: TensorsFile,
  check: TypesCheck,
): Promise<Omit<OpenCheckpoint, "state">> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    throw new RunError({
      what: "checkpoint",
      facts: `cannot read "${path}" (${systemReason(error)})`,
      hint: "Use another checkpoint of the run",
    });
  }
  try {
    const entries = await readEntries(path, file, description, check);
    const read = async (name: string): Promise<SafetensorsTensor> => {
      const { dtype, shape, begin } = entries.get(name)!;
      const tensor = { dtype, shape, data: allocateSafetensorsArray({ dtype, shape }) };
      await readWhole(file, safetensorsBytes(name, tensor), begin);
      return tensor;
    };
    return { types: entries, read, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readWhole(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  if (await readAt(file, bytes, position)) return;
  throw new RunError({ what: "checkpoint", facts: "the file became shorter while read" });
}

/** Where the tensors lie in a file that is as `description` says. */
async function readEntries(
  path: string,
  file: FileHandle,
  { bytes, sha256 }: TensorsFile,
  check: TypesCheck,
): Promise<Map<string, SafetensorsEntry>> {
  const torn = (facts: string, wanted: string) =>
    new RunError({
      what: "checkpoint",
      facts: `"${path}" ${facts}`,
      expected: `${wanted}, as the JSON file beside it says`,
      hint: "One of the two files is damaged or from another moment: use another checkpoint of the run",
    });
  const { size } = await file.stat();
  if (size !== bytes) throw torn(`has ${size} bytes`, `${bytes} bytes`);
  let entries: Map<string, SafetensorsEntry>;
  try {
    const start = new Uint8Array(Math.min(8, size));
    await readWhole(file, start, 0);
    const header = new Uint8Array(safetensorsHeaderBytes(start, size));
    await readWhole(file, header, 0);
    entries = decodeSafetensorsHeader(header, size).tensors;
  } catch (error) {
    throw torn(`has a damaged header (${(error as Error).message})`, `sha256 ${sha256}`);
  }
  check(entries);
  const found = await hashOpenFile(file);
  if (found !== sha256) throw torn(`has sha256 ${found}`, sha256);
  return entries;
}
