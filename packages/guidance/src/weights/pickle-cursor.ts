/** A place in the bytes of a pickle, and the numbers and texts that its opcodes read from there. */

import { WeightsError, weightsError } from "./errors.ts";

/** The bytes given end within the pickle: more of the file may hold the rest. */
export class PickleEnded extends WeightsError {}

/** Longest name of a global that is read. */
const NAME_BYTES = 256;
/** Longest integer, in bytes: torch's magic number has 10. */
const INTEGER_BYTES = 64;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A name from a file as it can stand in a message. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);
}

export class PickleCursor {
  readonly #path: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where `bytes` begin in the file. */
  readonly #base: number;
  /** Next byte to read. */
  position: number;

  constructor(path: string, bytes: Uint8Array, start: number, base: number) {
    this.#path = path;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.position = start;
    this.#base = base;
  }

  /** The error for what was read at `position`, as an offset in the file. */
  error(position: number, facts: string, expected = "a pickled state dict"): WeightsError {
    return weightsError(this.#path, {
      facts: `at byte ${this.#base + position} ${facts}`,
      expected,
      hint: "Write it with torch.save(model.state_dict(), ...)",
    });
  }

  /** Place of the next `length` bytes, which are skipped. */
  take(length: number): number {
    const start = this.position;
    if (length > this.#bytes.length - start) {
      const { parts } = this.error(start, `its pickle ends within ${length} bytes that it announces`);
      throw new PickleEnded(parts);
    }
    this.position = start + length;
    return start;
  }

  u8(): number {
    return this.#bytes[this.take(1)];
  }

  u16(): number {
    return this.#view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.take(4), true);
  }

  /** Beyond 2^53 no exact number, but still more than any file has. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.take(8), true));
  }

  f64(): number {
    return this.#view.getFloat64(this.take(8), false);
  }

  bytes(length: number): Uint8Array {
    const start = this.take(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(length: number): string {
    const at = this.position;
    try {
      return utf8.decode(this.bytes(length));
    } catch (error) {
      if (error instanceof WeightsError) throw error;
      throw this.error(at, "a text is not UTF-8");
    }
  }

  /** A line, of which GLOBAL and INST have two. */
  line(): string {
    const start = this.position;
    const end = this.#bytes.subarray(start, start + NAME_BYTES).indexOf(10);
    if (end >= 0) {
      const text = this.text(end);
      this.position++;
      return text;
    }
    if (this.#bytes.length - start < NAME_BYTES) this.take(NAME_BYTES);
    throw this.error(start, `a name has more than ${NAME_BYTES} bytes`);
  }

  /** A little-endian integer in two's complement; a bigint where no number holds it. */
  integer(length: number): number | bigint {
    const at = this.position;
    if (length > INTEGER_BYTES) throw this.error(at, `an integer has ${length} bytes`, `at most ${INTEGER_BYTES}`);
    const bytes = this.bytes(length);
    const value = bytes.reduceRight((high, byte) => (high << 8n) | BigInt(byte), 0n);
    const signed = BigInt.asIntN(8 * length, value);
    return BigInt.asIntN(53, signed) === signed ? Number(signed) : signed;
  }
}
