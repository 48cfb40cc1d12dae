/** Where weights are read from: bytes by position, since files may be larger than an array. */

import { type FileHandle, open } from "node:fs/promises";
import { readAt } from "../run/chunks.ts";
import { systemReason } from "../system-error.ts";
import { weightsError } from "./errors.ts";

/** A file as its bytes. */
export interface ByteSource {
  /** Its name, for messages. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** Fills `bytes` from `position` on; throws WeightsError where the file ends before. */
  read(bytes: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

function ended(path: string, size: number): Error {
  return weightsError(path, {
    facts: `it ends before its contents do, after ${size} bytes`,
    expected: "a complete file",
    hint: "Copy or download it again",
  });
}

/** The file `path`; throws WeightsError where it cannot be opened. */
export async function openSource(path: string): Promise<ByteSource> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error("it is no file");
    return fileSource(path, file, stat.size);
  } catch (error) {
    await file?.close();
    throw weightsError(path, {
      facts: `it cannot be opened (${systemReason(error)})`,
      expected: "a .pth or .safetensors file",
      hint: "Check the path",
    });
  }
}

function fileSource(path: string, file: FileHandle, size: number): ByteSource {
  return {
    path,
    size,
    read: async (bytes, position) => {
      if (position + bytes.length > size || !(await readAt(file, bytes, position))) throw ended(path, size);
    },
    close: () => file.close(),
  };
}

/** Bytes in memory under the name `path`. */
export function memorySource(path: string, contents: Uint8Array): ByteSource {
  return {
    path,
    size: contents.length,
    read: async (bytes, position) => {
      if (position + bytes.length > contents.length) throw ended(path, contents.length);
      bytes.set(contents.subarray(position, position + bytes.length));
    },
    close: async () => {},
  };
}

/** `length` bytes from `position` on; a length beyond the file is refused before it is allocated. */
export async function readBytes(source: ByteSource, position: number, length: number): Promise<Uint8Array> {
  if (position + length > source.size) throw ended(source.path, source.size);
  const bytes = new Uint8Array(length);
  await source.read(bytes, position);
  return bytes;
}
