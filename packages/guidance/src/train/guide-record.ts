/**
 * What a run remembers of its guide, in `guide.json`: the key of a trained one in the cache, or the hash of the file that its
 * weights came from. A run that goes on must have the same guide.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { nn } from "@guidance/tensor";
import { hashFile } from "../run/chunks.ts";
import { RunError } from "../run/errors.ts";
import { readSealed, type SealFormat, writeSealed } from "../run/sealed.ts";
import { checkWeights, loadWeightsInto } from "../weights/load.ts";
import { openWeights } from "../weights/open.ts";

/** Which guide a run has, where that is not random. */
export type GuideRecord =
  /** Trained, and cached under this key. */
  | { readonly key: string }
  /** Loaded from the file `weights`, which had this hash. */
  | { readonly weights: string; readonly sha256: string };

const RECORD = "guide.json";
const FORMAT: SealFormat = { name: "guide of a run", version: 1, hint: "Restore it, or start a new run" };

/** The file's bytes; undefined where it is not there. */
export function readIfThere(file: string): Promise<Buffer | undefined> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** The record in the folder of a run; undefined where there is none. Throws RunError where it is damaged. */
export async function readGuideRecord(folder: string): Promise<GuideRecord | undefined> {
  const path = join(folder, RECORD);
  if (!existsSync(path)) return undefined;
  const { key, weights, sha256 } = await readSealed(path, FORMAT);
  if (typeof key === "string") return { key };
  if (typeof weights === "string" && typeof sha256 === "string") return { weights, sha256 };
  throw new RunError({
    what: FORMAT.name,
    facts: `"${path}" does not say which guide the run has`,
    expected: "the file as it was written",
    hint: FORMAT.hint,
  });
}

/** Writes the record into the folder of a run. */
export function writeGuideRecord(folder: string, record: GuideRecord): Promise<void> {
  return writeSealed(join(folder, RECORD), FORMAT, { ...record });
}

/** Throws where the file `weights` has not those of `guide`; nothing is loaded. */
export async function checkGuideFile(guide: nn.Module, weights: string): Promise<void> {
  const file = await openWeights(weights);
  try {
    checkWeights(guide, file);
  } finally {
    await file.close();
  }
}

/**
 * Gives `guide` the weights of a file. Throws where they do not fit, and where a run that goes on began with another file
 * of that name.
 */
export async function loadGuideFile(
  guide: nn.Module,
  weights: string,
  { folder, resume }: { readonly folder: string; readonly resume?: boolean },
): Promise<void> {
  const file = await openWeights(weights);
  try {
    const sha256 = await hashFile(weights);
    const before = resume ? await readGuideRecord(folder) : undefined;
    if (before && (!("sha256" in before) || before.sha256 !== sha256)) {
      throw new RunError({
        what: "resume",
        facts: `"${weights}" has sha256 ${sha256}, and the guide this run began with ${"sha256" in before ? before.sha256 : "was trained"}`,
        expected: "the same weights of the guide",
        hint: "Restore the file, or start a new run",
      });
    }
    await loadWeightsInto(guide, file);
    if (!before) await writeGuideRecord(folder, { weights, sha256 });
  } finally {
    await file.close();
  }
}
