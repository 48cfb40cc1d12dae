/**
 * Reading IDX, the file format of MNIST and its relatives.
 *
 * A file is two zero bytes, a code for the element type (8: unsigned bytes, the only one here), the number of
 * dimensions, each dimension as a big-endian u32, and the values. Files are often gzipped; the first bytes tell.
 *
 * Source: http://yann.lecun.com/exdb/mnist, "The IDX file format".
 */

import { readFile } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { systemReason } from "../system-error.ts";
import { DataError } from "./errors.ts";

/** Magic number of a file of labels: unsigned bytes, 1 dimension. */
export const IDX_LABELS_MAGIC = 0x0801;
/** Magic number of a file of images: unsigned bytes, 3 dimensions (count, height, width). */
export const IDX_IMAGES_MAGIC = 0x0803;

/** Values of an IDX file, row-major. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/**
 * The values of uncompressed IDX bytes that begin with `magic`; `file` names them in errors.
 *
 * Throws DataError for another magic number and for more or fewer bytes than the header announces.
 */
export function parseIdx(bytes: Uint8Array, magic: number, file: string): IdxArray {
  const { shape, expected } = readHeader(bytes, magic, file);
  if (bytes.length !== expected) throw wrongLength(file, String(bytes.length), expected, bytes.length < expected);
  return { shape, data: bytes.subarray(headerBytes(magic)) };
}

const headerBytes = (magic: number): number => 4 + 4 * (magic & 0xff);

/** The shape in a file's first bytes, and the bytes that it then has. */
function readHeader(bytes: Uint8Array, magic: number, file: string): { shape: readonly number[]; expected: number } {
  const rank = magic & 0xff;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 4 && view.getUint32(0) !== magic) {
    throw new DataError({
      what: "IDX file",
      facts: `"${file}" begins with the magic number ${view.getUint32(0)}`,
      expected: `${magic} (unsigned bytes, dimensions: ${rank})`,
      hint: "Check that images and labels are not exchanged and that the file is IDX, plain or gzipped",
    });
  }
  const least = headerBytes(magic);
  if (bytes.length < least) throw wrongLength(file, String(bytes.length), least, true);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { shape, expected: shape.reduce((count, size) => count * size, 1) + least };
}

function wrongLength(file: string, has: string, expected: number, isShort: boolean): DataError {
  return new DataError({
    what: "IDX file",
    facts: `"${file}" ${isShort ? "is truncated" : "is too long"}: it has ${has} bytes`,
    expected: `${expected} bytes`,
    hint: "Download it again",
  });
}

/** Bytes of a file; throws DataError where there is no such file. */
async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const isFolder = (error as NodeJS.ErrnoException).code === "EISDIR";
    throw new DataError({
      what: "IDX file",
      facts: isFolder ? `"${file}" is a folder` : `cannot read "${file}" (${systemReason(error)})`,
      expected: "a readable file in the IDX format, plain or gzipped",
      hint: isFolder ? "Put the file itself there" : "Check the path and who may read it",
    });
  }
}

/** The values of IDX bytes, plain or gzipped, as `parseIdx` gives them. */
export async function decodeIdx(bytes: Uint8Array, magic: number, file: string): Promise<IdxArray> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return parseIdx(bytes, magic, file);
  try {
    return parseIdx(await unzip(bytes, magic, file), magic, file);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError({
      what: "IDX file",
      facts: `"${file}" (${bytes.length} bytes) cannot be decompressed: ${(error as Error).message}`,
      expected: "a whole gzip file",
      hint: "Download it again",
    });
  }
}

/** Bytes decompressed at a time. */
const CHUNK = 1 << 16;

/** Decompresses no more than the header announces: a few bytes may stand for any number of zeros. */
async function unzip(bytes: Uint8Array, magic: number, file: string): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  let limit = 0;
  const gunzip = createGunzip({ chunkSize: CHUNK });
  gunzip.end(bytes);
  for await (const chunk of gunzip as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (limit === 0 && length >= headerBytes(magic)) limit = readHeader(Buffer.concat(chunks), magic, file).expected;
    if (limit > 0 && length > limit) throw wrongLength(file, `${length} or more`, limit, false);
  }
  return Buffer.concat(chunks);
}

/** Images of an IDX file, plain or gzipped, of shape [count, height, width], 0 to 255. */
export async function readIdxImages(file: string): Promise<IdxArray> {
  return decodeIdx(await readBytes(file), IDX_IMAGES_MAGIC, file);
}

/** Labels of an IDX file, plain or gzipped, of shape [count]; throws DataError for a label not below `classes`. */
export async function readIdxLabels(file: string, classes: number): Promise<IdxArray> {
  const labels = await decodeIdx(await readBytes(file), IDX_LABELS_MAGIC, file);
  const index = labels.data.findIndex((label) => label >= classes);
  if (index >= 0) {
    throw new DataError({
      what: "IDX file",
      facts: `label ${index} of "${file}" is ${labels.data[index]}`,
      expected: `0 to ${classes - 1} for ${classes} classes`,
      hint: "Check that the labels belong to this data set",
    });
  }
  return labels;
}
