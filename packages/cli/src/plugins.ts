/**
 * Plugins: modules of the user's that register students, guides, similarities or data sets. They import
 * `@guidance/tensor` and `@guidance/guidance` by name from wherever they lie (bin/resolve.mjs sees to it).
 */
import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { GuidanceError, ValueError } from "@guidance/tensor";
import { describeError } from "./errors.ts";

/** Imports the modules in order and returns their absolute paths; throws naming the one that fails. */
export async function importPlugins(paths: readonly string[]): Promise<string[]> {
  const absolute = paths.map((path) => resolve(path));
  for (const path of absolute) {
    await access(path).catch(() => {
      throw new ValueError({
        what: "plugin",
        facts: `there is no file "${path}"`,
        expected: "a .ts, .mts or .mjs file",
      });
    });
    try {
      await import(pathToFileURL(path).href);
    } catch (error) {
      if (error instanceof GuidanceError) throw error;
      throw new ValueError({ what: "plugin", facts: `"${path}" cannot be loaded (${describeError(error)})` });
    }
  }
  return absolute;
}

/** Hash of the code of plugins, on which guides and data may depend; undefined where there are none. */
export async function hashPlugins(paths: readonly string[]): Promise<string | undefined> {
  if (paths.length === 0) return undefined;
  const hash = createHash("sha256");
  // each by its own hash, so that moving a line from one file to the next is a change
  for (const path of paths)
    hash.update(
      createHash("sha256")
        .update(await readFile(path))
        .digest(),
    );
  return hash.digest("hex");
}
