/** Files that commands write: what stands there already is not replaced unasked. */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { RunError } from "@guidance/guidance";

/** Throws RunError where `path` has no folder, or there is something there that may not be replaced. */
export async function checkOutput(what: string, path: string, force = false): Promise<void> {
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory()) {
    throw new RunError({
      what,
      facts: `there is no folder "${dirname(path)}"`,
      expected: "a file in a folder that is there",
      hint: "Make the folder first, or choose another name",
    });
  }
  await checkFree(what, path, force);
}

/** Throws RunError where there is something at `path` that may not be replaced. */
export async function checkFree(what: string, path: string, force = false): Promise<void> {
  if (!existsSync(path) || force) return;
  throw new RunError({
    what,
    facts: `there is a file "${path}" already`,
    expected: "a name that is free",
    hint: "Choose another name, or replace it with --force",
  });
}
