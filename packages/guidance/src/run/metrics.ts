/**
 * The record of a run: `metrics.jsonl`, one JSON object a line.
 *
 * Each line is handed to the operating system at once and whole, so it survives a crash of the process; a line that a
 * crash of the machine cut off is removed when the file is opened again, so that every line stays JSON.
 */

import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { RunError } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";
import { decodeJson, encodeJson, isJsonObject, type JsonObject } from "./json.ts";

function isRecord(line: string): boolean {
  try {
    return isJsonObject(decodeJson(line));
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
    this.#file = openSync(path, "a+");
    this.#repair(this.#file);
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
    if (this.#file === undefined) throw new Error("MetricsWriter.write: the file is closed.");
    try {
      writeSync(this.#file, `${encodeJson(record)}\n`);
    } catch (error) {
      throw new RunError({
        what: "metrics",
        facts: `cannot write to "${this.#path}" (${(error as Error).message})`,
        hint: "Make room or give access there, then go on with guidance train --resume",
      });
    }
  }

  /** Flushes the file to the disk and closes it; further calls do nothing. */
  close(): void {
    if (this.#file === undefined) return;
    fsyncSync(this.#file);
    closeSync(this.#file);
    this.#file = undefined;
  }
}

/** The records of the file `path`, without a last line that was cut off. */
export function readMetrics(path: string): JsonObject[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const last = lines.pop()!;
  if (isRecord(last)) lines.push(last);
  return lines.map((line) => decodeJson(line) as JsonObject);
}

/** Removes the records of steps after `step`: a run that goes on from an earlier checkpoint will write them again. */
export async function dropMetricsAfter(path: string, step: number): Promise<void> {
  if (!existsSync(path)) return;
  const kept = readMetrics(path).filter((record) => !(typeof record.step === "number" && record.step > step));
  await writeFileAtomic(path, kept.map((record) => `${encodeJson(record)}\n`).join(""));
}
