/** Files that commands write: what stands there already is not replaced unasked. */
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { RunError, systemReason } from "@guidance/guidance";

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

/** Throws RunError where there is a folder at `path`, or a file that may not be replaced. */
export async function checkFree(what: string, path: string, force = false): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    const facts = `there is a folder "${path}"`;
    throw new RunError({ what, facts, expected: "the name of a file", hint: "Choose another name" });
  }
  if (!found || force) return;
  throw new RunError({
    what,
    facts: `there is a file "${path}" already`,
    expected: "a name that is free",
    hint: "Choose another name, or replace it with --force",
  });
}

/** Throws RunError where `path` is no folder and cannot be made one, since it or what it lies in is a file. */
export async function checkFolder(what: string, path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  const facts =
    found instanceof Error
      ? found.code !== "ENOENT" && `the folder "${path}" cannot be made (${systemReason(found)})`
      : !found.isDirectory() && `"${path}" is a file`;
  if (facts)
    throw new RunError({ what, facts, expected: "a folder, or the name of a new one", hint: "Choose another" });
}
