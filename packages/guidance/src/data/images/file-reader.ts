/** Reading parts of large files at given places, with errors that name file and offset. */

import { type FileHandle, open } from "node:fs/promises";
import { systemReason } from "../../system-error.ts";
import { DataError } from "../errors.ts";

/** A file open for reading at any offset. */
export class FileReader {
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  /** Opens the file at `path`; throws DataError where it cannot be read. */
  static async open(path: string): Promise<FileReader> {
    try {
      const handle = await open(path);
      return new FileReader(path, (await handle.stat()).size, handle);
    } catch (error) {
      throw new DataError({ what: `shard "${path}"`, facts: `it cannot be read (${systemReason(error)})` });
    }
  }

  /** The `length` bytes from `offset` on, in memory of their own; throws DataError where the file ends before. */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw this.fault(offset, `it ends at ${this.size}, before the ${length} bytes that belong there`);
    }
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#read(bytes, filled, offset + filled);
      if (bytesRead === 0) throw this.fault(offset + filled, "it has become shorter since it was opened");
      filled += bytesRead;
    }
    return bytes;
  }

  #read(bytes: Uint8Array, filled: number, offset: number): Promise<{ bytesRead: number }> {
    return this.#handle.read(bytes, filled, bytes.length - filled, offset).catch((error: Error) => {
      throw this.fault(offset, `it cannot be read (${systemReason(error)})`);
    });
  }

  /** What is wrong with this file, and where. */
  fault(offset: number, facts: string): DataError {
    return new DataError({
      what: `shard "${this.path}"`,
      facts: `at offset ${offset}, ${facts}`,
      expected: "a whole file",
      hint: "Fetch it again: it may be truncated or damaged",
    });
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
