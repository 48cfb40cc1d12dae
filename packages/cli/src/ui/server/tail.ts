/**
 * Reads a file that is being written, on from where it was before. A last line without its end waits for the rest. A
 * file that was replaced or became shorter, as that of a resumed run, begins anew.
 */
import { open } from "node:fs/promises";

/** Bytes read at a time, and at most in one call: others get their turn in between. */
const [CHUNK, TURN] = [2 ** 20, 2 ** 24];

export interface TailReader {
  /** The file begins anew: what came from it is void. */
  restart(): void;
  /** One whole line, `number` from 1. */
  line(text: string, number: number): void;
}

export class Tail {
  #file: number | undefined;
  /** The start of a line. */
  #offset = 0;
  #lines = 0;

  /** Reads on in `path`; true where there is more to read at once. Throws where the file cannot be read. */
  async read(path: string, reader: TailReader): Promise<boolean> {
    const file = await open(path, "r");
    try {
      const { ino, size } = await file.stat();
      if ((this.#file !== undefined && this.#file !== ino) || size < this.#offset) {
        this.#offset = 0;
        this.#lines = 0;
        reader.restart();
      }
      this.#file = ino;
      const end = Math.min(size, this.#offset + TURN);
      let chunk = CHUNK;
      while (this.#offset < end) {
        const buffer = Buffer.allocUnsafe(Math.min(chunk, size - this.#offset));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#offset);
        const last = buffer.subarray(0, bytesRead).lastIndexOf("\n");
        if (last < 0) {
          // a torn line at the end, or one longer than all this
          if (bytesRead < chunk) return false;
          chunk *= 2;
          continue;
        }
        for (const text of buffer.toString("utf8", 0, last).split("\n")) reader.line(text, ++this.#lines);
        this.#offset += last + 1;
      }
      return this.#offset < size && end < size;
    } finally {
      await file.close();
    }
  }
}
