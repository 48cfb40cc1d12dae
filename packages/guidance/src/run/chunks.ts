/** Large files piece by piece: no call reads, writes or hashes more than one chunk, so that other work goes on. */

import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

/** Bytes read, written and hashed at a time: large enough to be fast, small enough to let other work go on. */
const CHUNK_BYTES = 2 ** 24;

/** Consecutive parts of `bytes`, which share its memory. */
export function* chunks(bytes: Uint8Array): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
    yield bytes.subarray(offset, offset + CHUNK_BYTES);
  }
}

/** Fills `bytes` from `position` on; false where the file ends before. */
export async function readAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<boolean> {
  for (const chunk of chunks(bytes)) {
    for (let offset = 0; offset < chunk.length; ) {
      const { bytesRead } = await file.read(chunk, offset, chunk.length - offset, position + offset);
      if (bytesRead === 0) return false;
      offset += bytesRead;
    }
    position += chunk.length;
  }
  return true;
}

/** The SHA-256 of a file of any size, in hexadecimal; rejects where it cannot be read. */
export async function hashFile(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    return await hashOpenFile(file);
  } finally {
    await file.close();
  }
}

/** The SHA-256 of an open file from its beginning, in hexadecimal. */
export async function hashOpenFile(file: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  const { size } = await file.stat();
  // one byte more than a small file has, so that its end is met
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, size + 1));
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(chunk.subarray(0, bytesRead));
    position += bytesRead;
  }
}
