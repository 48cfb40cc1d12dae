/**
 * Where the files of a tar archive lie, so that each can be read without the others.
 *
 * An archive is a row of blocks of 512 bytes: a header, then the file's bytes, padded to whole blocks. The headers of
 * ustar, GNU tar (long names, large sizes) and pax (records that precede a header) are understood. Only headers and tiny files are read.
 *
 * Source: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format".
 */

import type { FileReader } from "./file-reader.ts";

/** A file in an archive. */
export interface TarEntry {
  readonly name: string;
  /** Where its bytes begin in the archive. */
  readonly offset: number;
  readonly size: number;
  /** Its bytes, where they are at most {@link SMALL_FILE}: they come with the headers about them. */
  readonly bytes?: Uint8Array;
}

/** Bytes of a file whose content is kept with the index; a number in text has fewer. */
export const SMALL_FILE = 32;

const BLOCK = 512;
/** Bytes read at a time: a header, and the small files and headers that commonly follow it. */
const CHUNK = 8 * BLOCK;
/** Most bytes of a long name or of pax records. */
const LONGEST_RECORD = 2 ** 20;

/**
 * The regular files of an archive in their order; throws DataError with the offset of what is truncated, is no header, or
 * lacks the end of the archive.
 */
export async function indexTar(file: FileReader): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  const blocks = new ChunkedReader(file);
  let longName: string | undefined;
  let records = new Map<string, string>();
  let offset = 0;
  while (offset < file.size) {
    const header = await blocks.read(offset, BLOCK);
    // Two blocks of zeros end an archive; one is enough to tell, and what is behind it is padding.
    if (header.every((byte) => byte === 0)) return entries;
    if (!hasChecksum(header)) throw file.fault(offset, "there is no tar header (its checksum is off)");
    const size = records.has("size") ? Number(records.get("size")) : readNumber(header, 124, 12);
    const type = String.fromCharCode(header[156] || 0x30);
    const begin = offset + BLOCK;
    if (!Number.isSafeInteger(size) || size < 0 || begin + size > file.size) {
      throw file.fault(offset, `a header announces ${size} bytes, and the file has ${file.size - begin} left`);
    }
    if (type === "L" || type === "x" || type === "g") {
      if (size > LONGEST_RECORD) throw file.fault(offset, `a header announces a name of ${size} bytes`);
      const record = await blocks.read(begin, size);
      if (type === "L") longName = readText(record, 0, size);
      if (type === "x") records = paxRecords(record);
    } else {
      const name = records.get("path") ?? longName ?? headerName(header);
      // 0 and NUL are regular files, 7 is one that lies in one piece.
      if (type === "0" || type === "7") {
        const small = size <= SMALL_FILE ? { bytes: (await blocks.read(begin, size)).slice() } : {};
        entries.push({ name, offset: begin, size, ...small });
      }
      longName = undefined;
      records = new Map();
    }
    offset = begin + Math.ceil(size / BLOCK) * BLOCK;
  }
  if (offset > file.size) throw file.fault(file.size, "the last file is not padded to a whole block");
  // every writer ends an archive with zeros, so that one cut off between two files, or empty, can be told from a whole one
  throw file.fault(offset, "there is no end of the archive (two blocks of zeros)");
}

/** Gives small parts of a file from larger ones read before. */
class ChunkedReader {
  readonly #file: FileReader;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array();

  constructor(file: FileReader) {
    this.#file = file;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < this.#start || offset + length > this.#start + this.#bytes.length) {
      const available = Math.max(this.#file.size - offset, 0);
      this.#bytes = await this.#file.read(offset, Math.max(length, Math.min(CHUNK, available)));
      this.#start = offset;
    }
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + length);
  }
}

/** Whether the sum of a header's bytes, its checksum taken as spaces, is its checksum. */
function hasChecksum(header: Uint8Array): boolean {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  return sum === readNumber(header, 148, 8);
}

/** An octal number in text, or one in base 256 where the first bit says so; NaN for anything else. */
function readNumber(header: Uint8Array, at: number, length: number): number {
  if (header[at] === 0x80) return header.subarray(at + 1, at + length).reduce((value, byte) => value * 256 + byte, 0);
  const text = readText(header, at, length).trim();
  return /^[0-7]*$/.test(text) ? Number.parseInt(text || "0", 8) : Number.NaN;
}

/** Text of UTF-8 up to the first NUL. */
function readText(bytes: Uint8Array, at: number, length: number): string {
  const text = bytes.subarray(at, at + length);
  const end = text.indexOf(0);
  return new TextDecoder().decode(end < 0 ? text : text.subarray(0, end));
}

function headerName(header: Uint8Array): string {
  const name = readText(header, 0, 100);
  const prefix = readText(header, 257, 5) === "ustar" ? readText(header, 345, 155) : "";
  return prefix ? `${prefix}/${name}` : name;
}

/** Records of the form "length key=value\n", the length in bytes and including itself. */
function paxRecords(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(readText(bytes, at, Math.max(space - at, 0)));
    if (space < 0 || !Number.isInteger(length) || length <= space + 1 - at) break;
    const record = readText(bytes, space + 1, at + length - space - 2);
    const equals = record.indexOf("=");
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}
