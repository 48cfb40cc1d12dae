/** The zip layout of torch (since 1.6): a pickle `<name>/data.pkl`, and each storage an entry `<name>/data/<key>`. */

import { weightsError } from "./errors.ts";
import { quote } from "./pickle-cursor.ts";
import type { Fail } from "./pickle-values.ts";
import { type ByteSource, readBytes } from "./source.ts";
import { TorchObjects, tensorsOf } from "./torch-objects.ts";
import { torchFile } from "./torch-read.ts";
import { unpickle } from "./unpickle.ts";
import type { WeightsFile } from "./weights-file.ts";
import { checkEntry, locateEntry, readZip, type ZipArchive, type ZipEntry } from "./zip-read.ts";

/** Longest pickle, in bytes: a tensor takes about 200, so this is more than 300,000 tensors. */
export const MOST_PICKLE_BYTES = 2 ** 26;

/** Opens a file of the zip layout; throws WeightsError where it is anything but a state dict. */
export async function openTorchZip(source: ByteSource): Promise<WeightsFile> {
  const fail: Fail = (facts, expected = "a state dict") => {
    throw weightsError(source.path, { facts, expected, hint: "Write it with torch.save(model.state_dict(), ...)" });
  };
  const archive = await readZip(source);
  const pickle = findPickle(archive, fail);
  const root = pickle.name.slice(0, -"data.pkl".length);
  if (archive.entries.has(`${root}constants.pkl`)) fail("it is a TorchScript program");
  await checkByteOrder(archive, `${root}byteorder`, fail);
  if (pickle.size > MOST_PICKLE_BYTES) fail(`${quote(pickle.name)} has ${pickle.size} bytes`);
  const base = await locateEntry(archive, pickle);
  await checkEntry(archive, pickle, base);
  const bytes = await readBytes(source, base, pickle.size);
  const objects = new TorchObjects();
  const { value } = unpickle({ path: source.path, bytes, start: 0, base }, objects);
  const tensors = tensorsOf(value, fail);
  const positions = new Map<string, number>();
  const checks = new Map<string, () => Promise<void>>();
  for (const { key, size, type } of objects.storages.values()) {
    const entry = archive.entries.get(`${root}data/${key}`);
    if (!entry) return fail(`it lacks the entry of storage ${quote(key)}`);
    const needed = size * type.bytes;
    if (entry.size < needed) fail(`storage ${quote(key)} has ${entry.size} bytes`, `${needed} for ${size} elements`);
    const position = await locateEntry(archive, entry);
    positions.set(key, position);
    let checked: Promise<void> | undefined;
    // once, when the first of its tensors is read
    checks.set(key, () => (checked ??= checkEntry(archive, entry, position)));
  }
  return torchFile(source, "torch zip", { tensors, positions, checks });
}

function findPickle({ entries }: ZipArchive, fail: Fail): ZipEntry {
  const found = [...entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  return found.length === 1 ? found[0] : fail(`it is a zip archive with ${found.length} data.pkl`, "one");
}

async function checkByteOrder(archive: ZipArchive, name: string, fail: Fail): Promise<void> {
  const entry = archive.entries.get(name);
  // files of torch before 2.1 have none, and are those of the machine that wrote them
  if (!entry) return;
  const position = await locateEntry(archive, entry);
  const order = new TextDecoder().decode(await readBytes(archive.source, position, Math.min(entry.size, 16)));
  if (order !== "little") fail(`its byte order is ${quote(order)}`, "little");
}
