/**
 * Reading IDX, the file format of MNIST and its relatives.
 *
 * A file is two zero bytes, a code for the element type (8: unsigned bytes, the only one here), the number of
 * dimensions, each dimension as a big-endian u32, and the values. Files are often gzipped; the first bytes tell.
 *
 * Source: http://yann.lecun.com/exdb/mnist, "The IDX file format".
 */

import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
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
  const what = "IDX file";
  const rank = magic & 0xff;
  const headerBytes = 4 + 4 * rank;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 4 && view.getUint32(0) !== magic) {
    throw new DataError({
      what,
      facts: `"${file}" begins with the magic number ${view.getUint32(0)}`,
      expected: `${magic} (unsigned bytes, dimensions: ${rank})`,
      hint: "Check that images and labels are not exchanged and that the file is IDX, plain or gzipped",
    });
  }
  const truncated = (expected: number): DataError =>
    new DataError({
      what,
      facts: `"${file}" ${bytes.length < expected ? "is truncated" : "is too long"}: it has ${bytes.length} bytes`,
      expected: `${expected} bytes`,
      hint: "Download it again",
    });
  if (bytes.length < headerBytes) throw truncated(headerBytes);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const expected = shape.reduce((count, size) => count * size, 1) + headerBytes;
  if (bytes.length !== expected) throw truncated(expected);
  return { shape, data: bytes.subarray(headerBytes) };
}

/** Bytes of a file, decompressed where it is gzipped; throws DataError where there is no such file. */
async function readPlain(file: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const isFolder = (error as NodeJS.ErrnoException).code === "EISDIR";
    throw new DataError({
      what: "IDX file",
      facts: isFolder ? `"${file}" is a folder` : `cannot read "${file}" (${(error as Error).message})`,
      expected: "a readable file in the IDX format, plain or gzipped",
      hint: isFolder ? "Put the file itself there" : "Check the path and who may read it",
    });
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes);
  } catch (error) {
    throw new DataError({
      what: "IDX file",
      facts: `"${file}" (${bytes.length} bytes) cannot be decompressed: ${(error as Error).message}`,
      expected: "a whole gzip file",
      hint: "Download it again",
    });
  }
}

/** Images of an IDX file, plain or gzipped, of shape [count, height, width], 0 to 255. */
export async function readIdxImages(file: string): Promise<IdxArray> {
  return parseIdx(await readPlain(file), IDX_IMAGES_MAGIC, file);
}

/** Labels of an IDX file, plain or gzipped, of shape [count]; throws DataError for a label not below `classes`. */
export async function readIdxLabels(file: string, classes: number): Promise<IdxArray> {
  const labels = parseIdx(await readPlain(file), IDX_LABELS_MAGIC, file);
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
