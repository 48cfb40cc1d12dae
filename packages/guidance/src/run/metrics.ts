/**
 * The record of a run: `metrics.jsonl`, one JSON object a line, each with a version and a checksum of its own.
 *
 * Each line is handed to the operating system at once and whole, so it survives a crash of the process; a line that a
 * crash of the machine or a full disk cut off is removed when the file is opened again. Any other line that is not as it
 * was written is an error.
 */

import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { unwritable } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";
import type { JsonObject } from "./json.ts";
import { type SealFormat, seal, unseal } from "./sealed.ts";

const FORMAT: SealFormat = {
  name: "metrics",
  version: 1,
  hint: "Restore the file, or remove it: the run can go on, and its record then begins there",
};

function isRecord(line: string): boolean {
  try {
    unseal(FORMAT, line, "line");
    return true;
  } catch {
    return false;
  }
}

/** Appends records to a file; synchronous, so that order and flushing do not depend on who awaits what. */
export class MetricsWriter {
  readonly #path: string;
  #file: number | undefined;

  /** Opens or creates the file `path`, whose folder must exist. */
  constructor(path: string) {
    this.#path = path;
    this.#try(() => {
      this.#file = openSync(path, "a+");
      this.#repair(this.#file);
    });
  }

  #repair(file: number): void {
    const bytes = readFileSync(file);
    const lineStart = bytes.lastIndexOf("\n") + 1;
    if (lineStart === bytes.length) return;
    if (isRecord(bytes.toString("utf8", lineStart))) writeSync(file, "\n");
    else ftruncateSync(file, lineStart);
  }

  /** Appends `record` as one line; numbers that are not finite become strings, e.g. "NaN". */
  write(record: JsonObject): void {
    const file = this.#file;
    if (file === undefined) throw new Error("MetricsWriter.write: the file is closed.");
    const line = Buffer.from(`${seal(FORMAT, record)}\n`);
    this.#try(() => {
      // the last bytes of a disk are taken without an error, which comes with the rest
      for (let offset = 0; offset < line.length; ) offset += writeSync(file, line, offset);
    });
  }

  /** Flushes the file to the disk: a checkpoint that comes after it never has more steps than the record. */
  flush(): void {
    const file = this.#file;
    if (file !== undefined) this.#try(() => fsyncSync(file));
  }

  /** Flushes the file and closes it; further calls do nothing. */
  close(): void {
    const file = this.#file;
    if (file === undefined) return;
    try {
      this.flush();
    } finally {
      this.#file = undefined;
      closeSync(file);
    }
  }

  #try(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw unwritable(this.#path, error);
    }
  }
}

interface Line {
  readonly text: string;
  readonly record: JsonObject;
}

function readLines(path: string): Line[] {
  const texts = readFileSync(path, "utf8").split("\n");
  const last = texts.pop()!;
  if (isRecord(last)) texts.push(last);
  return texts.map((text, i) => ({ text, record: unseal(FORMAT, text, `line ${i + 1} of "${path}"`) }));
}

/** The records of the file `path`, without a last line that was cut off; throws RunError, naming it, for a damaged line. */
export function readMetrics(path: string): JsonObject[] {
  return readLines(path).map(({ record }) => record);
}

/** Removes the records of steps after `step`: a run that goes on from an earlier checkpoint will write them again. */
export async function dropMetricsAfter(path: string, step: number): Promise<void> {
  if (!existsSync(path)) return;
  const kept = readLines(path).filter(({ record }) => !(typeof record.step === "number" && record.step > step));
  try {
    await writeFileAtomic(path, kept.map(({ text }) => `${text}\n`).join(""));
  } catch (error) {
    throw unwritable(path, error);
  }
}
