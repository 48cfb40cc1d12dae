/**
 * JSON files of our own: the last field of each, `guidance`, names its format and version and has a checksum of all the
 * rest. A file that was cut off, damaged, edited or written by another version is then refused by name.
 *
 * The checksum is of the text without white space and without the checksum itself, so that a file may be indented anew.
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { systemReason } from "../system-error.ts";
import { RunError, unwritable } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";
import { decodeJson, encodeJson, isJsonObject, type JsonObject, type JsonValue } from "./json.ts";

/** One kind of file. */
export interface SealFormat {
  /** For messages, e.g. `checkpoint`. */
  readonly name: string;
  /** Raised whenever fields change their meaning. */
  readonly version: number;
  /** What to do about a file that cannot be used. */
  readonly hint: string;
}

/** The field of a file that says what it is. */
export const SEAL = "guidance";

/** `body` as text of the given format, on one line or indented by `indent` spaces. */
export function seal({ name, version }: SealFormat, body: JsonObject, indent = 0): string {
  const mark = { format: name, version };
  const sha256 = createHash("sha256")
    .update(encodeJson({ ...body, [SEAL]: mark }))
    .digest("hex");
  return encodeJson({ ...body, [SEAL]: { ...mark, sha256 } }, indent);
}

/** What `seal` was given for `text`; throws RunError, which names the place as `where`, for any other text. */
export function unseal(format: SealFormat, text: string, where: string): JsonObject {
  const refuse = (facts: string) =>
    new RunError({
      what: format.name,
      facts: `${where} ${facts}`,
      expected: `what this version of guidance writes there (${format.name}, version ${format.version})`,
      hint: format.hint,
    });
  let value: JsonValue;
  try {
    value = decodeJson(text);
  } catch (error) {
    throw refuse(`is damaged: it is not JSON (${(error as Error).message})`);
  }
  if (!isJsonObject(value)) throw refuse("is no JSON object");
  const { [SEAL]: mark, ...body } = value;
  if (!isJsonObject(mark)) throw refuse("has no version and checksum");
  if (mark.format !== format.name) throw refuse(`has the format ${encodeJson(mark.format ?? null)}`);
  if (mark.version !== format.version) throw refuse(`has version ${encodeJson(mark.version ?? null)}`);
  const { [SEAL]: found } = JSON.parse(seal(format, body));
  if (found.sha256 !== mark.sha256) throw refuse("is damaged or was edited: its checksum does not fit");
  return body;
}

/** Replaces or creates the file `path` as a whole; throws RunError where it cannot be written. */
export async function writeSealed(path: string, format: SealFormat, body: JsonObject): Promise<void> {
  try {
    await writeFileAtomic(path, `${seal(format, body, 2)}\n`);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** What `writeSealed` wrote to the file `path`; throws RunError where it is missing or other than that. */
export async function readSealed(path: string, format: SealFormat): Promise<JsonObject> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, format, error);
  }
  return unseal(format, text, `"${path}"`);
}

function unreadable(path: string, { name }: SealFormat, error: unknown): RunError {
  return new RunError({
    what: name,
    facts: `cannot read "${path}" (${systemReason(error)})`,
    expected: "a file of a run of guidance train",
    hint: "Check the path",
  });
}
