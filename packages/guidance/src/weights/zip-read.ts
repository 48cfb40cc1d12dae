/**
 * Where the stored entries of a zip archive lie, from its central directory. Only what torch writes is taken: no
 * compression, no encryption, one disk; zip64 records where they are.
 *
 * Source: PKWARE's APPNOTE.TXT 6.3.10, section 4.3.
 */

import { crc32 } from "node:zlib";
import { type WeightsError, weightsError } from "./errors.ts";
import { quote } from "./pickle-cursor.ts";
import { type ByteSource, readBytes } from "./source.ts";

export interface ZipEntry {
  readonly name: string;
  /** Of its header in the file. */
  readonly header: number;
  /** Bytes of its contents. */
  readonly size: number;
  /** CRC-32 of its contents; 0 where torch was told to compute none (`torch.serialization.set_crc32_options`). */
  readonly crc: number;
}

export interface ZipArchive {
  readonly source: ByteSource;
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Where the central directory begins: all contents lie before it. */
  readonly end: number;
}

const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const LONGEST_COMMENT = 0xffff;
/** Stands in a 32-bit field whose value is in a zip64 record. */
const IN_ZIP64 = 0xffffffff;
const ZIP64_FIELD = 1;
/** A directory of a million entries; a longer one is refused before it is read. */
const MOST_DIRECTORY_BYTES = 2 ** 26;
/** Bytes whose checksum is computed at a time. */
const CHUNK_BYTES = 2 ** 22;

function broken({ path }: ByteSource, facts: string, expected = "an archive as torch.save writes it"): WeightsError {
  return weightsError(path, { facts, expected, hint: "Copy or download it again" });
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const u64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** Reads the directory of an archive; throws WeightsError where it is damaged or not torch's. */
export async function readZip(source: ByteSource): Promise<ZipArchive> {
  const { count, size, offset } = await findDirectory(source);
  if (size > MOST_DIRECTORY_BYTES) throw broken(source, `its directory has ${size} bytes`);
  const bytes = await readBytes(source, offset, size);
  const view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let contents = 0;
  for (let at = 0; at < size; ) {
    if (at + CENTRAL_BYTES > size || view.getUint32(at, true) !== 0x02014b50) {
      throw broken(source, `its directory is damaged at byte ${offset + at}`);
    }
    const length = CENTRAL_BYTES + [28, 30, 32].reduce((sum, field) => sum + view.getUint16(at + field, true), 0);
    if (at + length > size) throw broken(source, `its directory is damaged at byte ${offset + at}`);
    const entry = parseEntry(source, bytes.subarray(at, at + length));
    if (entries.has(entry.name)) throw broken(source, `entry ${quote(entry.name)} stands twice`, "each name once");
    entries.set(entry.name, entry);
    contents += entry.size;
    at += length;
  }
  if (entries.size !== count)
    throw broken(source, `its directory has ${entries.size} entries, not ${count} as it says`);
  // also bounds what computing all checksums takes
  if (contents > offset) throw broken(source, `its entries have ${contents} bytes in ${offset}: some overlap`);
  return { source, entries, end: offset };
}

/** The last record of a zip file says where the directory is, or the zip64 record before it does. */
async function findDirectory(source: ByteSource): Promise<{ count: number; size: number; offset: number }> {
  const tailBytes = Math.min(source.size, END_BYTES + LONGEST_COMMENT);
  const start = source.size - tailBytes;
  const tail = viewOf(await readBytes(source, start, tailBytes));
  let at = tailBytes - END_BYTES;
  const isEnd = () =>
    tail.getUint32(at, true) === 0x06054b50 && at + END_BYTES + tail.getUint16(at + 20, true) === tailBytes;
  while (at >= 0 && !isEnd()) at--;
  if (at < 0) throw broken(source, "it is a zip archive without its end", "a complete file");
  let found = {
    count: tail.getUint16(at + 10, true),
    size: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
  const locator = at - LOCATOR_BYTES;
  if (locator >= 0 && tail.getUint32(locator, true) === 0x07064b50) {
    const end64 = viewOf(await readBytes(source, u64(tail, locator + 8), END64_BYTES));
    if (end64.getUint32(0, true) !== 0x06064b50) throw broken(source, "its zip64 record is not where it should be");
    found = { count: u64(end64, 32), size: u64(end64, 40), offset: u64(end64, 48) };
  }
  if (found.offset + found.size > start + at) {
    throw broken(source, `its directory (${found.size} bytes from ${found.offset} on) lies beyond its end`);
  }
  return found;
}

/** One record of the directory. */
function parseEntry(source: ByteSource, record: Uint8Array): ZipEntry {
  const view = viewOf(record);
  const nameEnd = CENTRAL_BYTES + view.getUint16(28, true);
  const name = new TextDecoder().decode(record.subarray(CENTRAL_BYTES, nameEnd));
  const packed = view.getUint32(20, true);
  let [size, header] = [view.getUint32(24, true), view.getUint32(42, true)];
  const isStored = view.getUint16(10, true) === 0 && (view.getUint16(8, true) & 1) === 0 && packed === size;
  if (!isStored) throw broken(source, `entry ${quote(name)} is compressed or encrypted`, "stored entries");
  // the zip64 field has those of size, packed size and header offset, in this order, that do not fit elsewhere
  const wide = [size === IN_ZIP64, packed === IN_ZIP64, header === IN_ZIP64];
  if (wide.includes(true)) {
    const values = zip64Values(view, nameEnd, nameEnd + view.getUint16(30, true));
    if (values.length < wide.filter(Boolean).length) throw broken(source, `entry ${quote(name)} lacks its zip64 sizes`);
    if (wide[0]) size = values.shift()!;
    if (wide[1] && values.shift() !== size)
      throw broken(source, `entry ${quote(name)} is compressed`, "stored entries");
    if (wide[2]) header = values.shift()!;
  }
  return { name, header, size, crc: view.getUint32(16, true) };
}

function zip64Values(view: DataView, start: number, end: number): number[] {
  for (let at = start; at + 4 <= end; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== ZIP64_FIELD) continue;
    const length = Math.min(view.getUint16(at + 2, true), end - at - 4);
    return Array.from({ length: Math.floor(length / 8) }, (_, i) => u64(view, at + 4 + 8 * i));
  }
  return [];
}

/** Where the contents of an entry begin; throws WeightsError where they do not lie in front of the directory. */
export async function locateEntry({ source, end }: ZipArchive, { name, header, size }: ZipEntry): Promise<number> {
  const outside = () => broken(source, `entry ${quote(name)} (${size} bytes) lies outside the file`);
  if (header + LOCAL_BYTES > end) throw outside();
  const local = viewOf(await readBytes(source, header, LOCAL_BYTES));
  if (local.getUint32(0, true) !== 0x04034b50) throw broken(source, `entry ${quote(name)} is not where it should be`);
  const begin = header + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
  if (begin + size > end) throw outside();
  return begin;
}

/** Throws WeightsError unless the contents of an entry, which begin at `begin`, have its checksum. */
export async function checkEntry({ source }: ZipArchive, { name, size, crc }: ZipEntry, begin: number): Promise<void> {
  if (crc === 0) return;
  const chunk = new Uint8Array(Math.min(size, CHUNK_BYTES));
  let found = 0;
  for (let at = 0; at < size; at += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, size - at));
    await source.read(part, begin + at);
    found = crc32(part, found);
  }
  if (found === crc) return;
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  throw broken(
    source,
    `entry ${quote(name)} is damaged: its checksum is ${hex(found)}`,
    `${hex(crc)}, as it was written`,
  );
}
