/**
 * Plugins: modules of the user's that register students, guides, similarities or data sets. They import
 * `@guidance/tensor` and `@guidance/guidance` by name from wherever they lie (bin/resolve.mjs sees to it).
 */
import { access } from "node:fs/promises";
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
