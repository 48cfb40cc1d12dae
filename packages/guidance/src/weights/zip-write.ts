/**
 * Writes a zip archive of stored entries from front to back, as torch lays it out: contents begin at multiples of 64 bytes,
 * so that they can be mapped into memory, and what exceeds 32 bits is in zip64 fields.
 *
 * Source: PKWARE's APPNOTE.TXT 6.3.10, section 4.3; torch's caffe2/serialize/inline_container.cc.
 */

import { crc32 } from "node:zlib";
import { chunks } from "../run/chunks.ts";

/** Where contents begin: a multiple of this, as in torch. */
const ALIGNMENT = 64;
const IN_ZIP64 = 0xffffffff;
const LOCAL_BYTES = 30;
/** Fields of the headers: version 4.5 (zip64), names in UTF-8, the first day there is. */
const [VERSION, UTF8, FIRST_DAY] = [45, 0x800, 0x21];
/** Kinds of extra fields: zip64 sizes, and torch's padding. */
const [ZIP64_FIELD, PADDING_FIELD] = [1, 0x4246];
const FIELD_BYTES = 4;

interface Written {
  readonly name: Uint8Array;
  readonly crc: number;
  readonly size: number;
  /** Of its header in the file. */
  readonly header: number;
}

/** Little-endian fields, each [bytes, value], one after another. */
function record(...fields: readonly (readonly [number, number])[]): Buffer {
  const bytes = Buffer.alloc(fields.reduce((sum, [length]) => sum + length, 0));
  let at = 0;
  for (const [length, value] of fields) {
    if (length === 8) bytes.writeBigUInt64LE(BigInt(value), at);
    else bytes.writeUIntLE(value, at, length);
    at += length;
  }
  return bytes;
}

/** A zip64 field with the values that do not fit into 32 bits; empty where all do. */
function zip64(...values: readonly number[]): Buffer {
  const wide = values.filter((value) => value >= IN_ZIP64);
  if (wide.length === 0) return Buffer.alloc(0);
  return record([2, ZIP64_FIELD], [2, 8 * wide.length], ...wide.map((value) => [8, value] as const));
}

const narrow = (value: number): number => Math.min(value, IN_ZIP64);

/** What local header and directory both say of an entry. */
function common({ name, crc, size }: Written, extraBytes: number): (readonly [number, number])[] {
  const head = [
    [2, VERSION],
    [2, UTF8],
    [2, 0],
    [2, 0],
    [2, FIRST_DAY],
    [4, crc],
  ] as const;
  return [...head, [4, narrow(size)], [4, narrow(size)], [2, name.length], [2, extraBytes]];
}

/** Gathers the directory while entries are written. */
export class ZipWriter {
  #position = 0;
  readonly #written: Written[] = [];

  /** The bytes of one entry, in chunks, to be written in this order. */
  *entry(name: string, contents: Uint8Array): Generator<Uint8Array> {
    let crc = 0;
    for (const chunk of chunks(contents)) crc = crc32(chunk, crc);
    const entry = { name: Buffer.from(name), crc, size: contents.length, header: this.#position };
    // a local header has both sizes or none
    const sizes = zip64(entry.size, entry.size);
    const before = this.#position + LOCAL_BYTES + entry.name.length + sizes.length + FIELD_BYTES;
    const padding = (ALIGNMENT - (before % ALIGNMENT)) % ALIGNMENT;
    const extra = Buffer.concat([sizes, record([2, PADDING_FIELD], [2, padding]), Buffer.alloc(padding, "Z")]);
    const header = Buffer.concat([record([4, 0x04034b50], ...common(entry, extra.length)), entry.name, extra]);
    this.#written.push(entry);
    this.#position += header.length + contents.length;
    yield header;
    yield* chunks(contents);
  }

  /** The directory and the records that end the file. */
  end(): Uint8Array {
    const directory = Buffer.concat(this.#written.flatMap((entry) => this.#directoryEntry(entry)));
    const [count, size, offset] = [this.#written.length, directory.length, this.#position];
    const end64 = offset + size;
    return Buffer.concat([
      directory,
      // the zip64 end record, whose length is what follows it: 44 bytes
      record([4, 0x06064b50], [8, 44], [2, VERSION], [2, VERSION], [4, 0], [4, 0], [8, count], [8, count]),
      record([8, size], [8, offset]),
      record([4, 0x07064b50], [4, 0], [8, end64], [4, 1]),
      record([4, 0x06054b50], [2, 0], [2, 0], [2, Math.min(count, 0xffff)], [2, Math.min(count, 0xffff)]),
      record([4, narrow(size)], [4, narrow(offset)], [2, 0]),
    ]);
  }

  #directoryEntry(entry: Written): Uint8Array[] {
    const { name, size, header } = entry;
    const extra = zip64(size, size, header);
    const head = record([4, 0x02014b50], [2, VERSION], ...common(entry, extra.length));
    // no comment, first disk, no attributes
    return [Buffer.concat([head, record([2, 0], [2, 0], [2, 0], [4, 0], [4, narrow(header)])]), name, extra];
  }
}
