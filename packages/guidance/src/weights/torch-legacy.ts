/**
 * The layout of torch before 1.6, one pickle after another: a magic number, the protocol's version, facts of the machine,
 * the object, the keys of its storages; then each storage, as the number of its elements (u64) and their values.
 *
 * Source: torch/serialization.py, `_legacy_save`.
 */

import { weightsError } from "./errors.ts";
import { PickleEnded, quote } from "./pickle-cursor.ts";
import type { Fail } from "./pickle-values.ts";
import { type ByteSource, readBytes } from "./source.ts";
import { TorchObjects, type TorchTensor, tensorsOf } from "./torch-objects.ts";
import { torchFile } from "./torch-read.ts";
import { MOST_PICKLE_BYTES } from "./torch-zip.ts";
import { unpickle } from "./unpickle.ts";
import type { WeightsFile } from "./weights-file.ts";

const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;
/** Bytes read at first, for pickles whose length nothing says; more where they go on. */
const FIRST_BYTES = 2 ** 16;
const COUNT_BYTES = 8;

/** What the pickles say. */
interface Pickles {
  readonly tensors: Map<string, TorchTensor>;
  readonly objects: TorchObjects;
  /** Of the storages, in the order of the file. */
  readonly keys: readonly string[];
  /** Where the first storage is. */
  readonly end: number;
}

/** Opens a file of the legacy layout; throws WeightsError where it is anything but a state dict. */
export async function openTorchLegacy(source: ByteSource): Promise<WeightsFile> {
  const fail: Fail = (facts, expected = "a state dict") => {
    throw weightsError(source.path, { facts, expected, hint: "Write it with torch.save(model.state_dict(), ...)" });
  };
  const { tensors, objects, keys, end } = await readPickles(source, fail);
  const positions = new Map<string, number>();
  let position = end;
  for (const key of keys) {
    const storage = objects.storages.get(key);
    if (!storage) return fail(`it lists a storage ${quote(key)} that no tensor has`);
    if (positions.has(key)) fail(`it lists storage ${quote(key)} twice`);
    const header = await readBytes(source, position, COUNT_BYTES);
    const count = new DataView(header.buffer).getBigUint64(0, true);
    if (count !== BigInt(storage.size)) fail(`storage ${quote(key)} has ${count} elements`, `${storage.size}`);
    position += COUNT_BYTES;
    positions.set(key, position);
    position += storage.size * storage.type.bytes;
    if (position > source.size) fail(`storage ${quote(key)} ends at byte ${position} of ${source.size}`);
  }
  for (const key of objects.storages.keys()) {
    if (!positions.has(key)) fail(`storage ${quote(key)} is not in the file`);
  }
  return torchFile(source, "torch legacy", { tensors, positions });
}

async function readPickles(source: ByteSource, fail: Fail): Promise<Pickles> {
  const most = Math.min(source.size, MOST_PICKLE_BYTES);
  for (let length = FIRST_BYTES; ; length *= 8) {
    const bytes = await readBytes(source, 0, Math.min(length, most));
    try {
      return parsePickles(source.path, bytes, fail);
    } catch (error) {
      if (!(error instanceof PickleEnded) || bytes.length === most) throw error;
    }
  }
}

function parsePickles(path: string, bytes: Uint8Array, fail: Fail): Pickles {
  const objects = new TorchObjects();
  let end = 0;
  const next = (): unknown => {
    const read = unpickle({ path, bytes, start: end, base: 0 }, objects);
    end = read.end;
    return read.value;
  };
  if (next() !== MAGIC) fail("it is a pickle, but not of torch.save");
  const version = next();
  if (version !== VERSION) fail("its version is another", `${VERSION}`);
  next();
  const tensors = tensorsOf(next(), fail);
  const keys = next();
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string")) return fail("it lists no storages");
  return { tensors, objects, keys, end };
}
