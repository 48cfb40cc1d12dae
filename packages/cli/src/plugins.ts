/**
 * Plugins: modules of the user's that register students, guides, similarities, data sets, transforms or loggers. They import
 * `@guidance/tensor` and `@guidance/guidance` by name from wherever they lie (bin/resolve.mjs sees to it).
 */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { datasets, guides, loggers, similarities, students, threadModules, transforms } from "@guidance/guidance";
import { type ErrorParts, ValueError } from "@guidance/tensor";
import { describeError } from "./errors.ts";

const extensions = [".ts", ".mts", ".js", ".mjs"];
const registries = { students, guides, similarities, datasets, transforms, loggers };

/** Plugins that this process has imported, by absolute path. */
const imported = new Set<string>();

/** Imports the modules in order and returns their absolute paths; throws naming the one that fails. */
export async function importPlugins(paths: readonly string[]): Promise<string[]> {
  const absolute = paths.map((path) => resolve(path));
  for (const path of absolute) if (!imported.has(path)) await importPlugin(path);
  return absolute;
}

async function importPlugin(path: string): Promise<void> {
  await checkFile(path);
  const module = pathToFileURL(path).href;
  const before = registered();
  let exported: string[];
  try {
    exported = Object.keys(await import(module));
  } catch (error) {
    const refused = refusal({ facts: `"${path}" cannot be loaded (${describeError(error).replace(/\.$/, "")})` });
    refused.cause = error;
    throw refused;
  }
  if (registered() === before) {
    const calls = Object.keys(registries).map((name) => `${name}.register(...)`);
    throw refusal({
      facts: `"${path}" registers nothing${exported.length > 0 ? `: what it exports (${exported.join(", ")}) is not looked at` : ""}`,
      expected: `a call of ${calls.join(", ")} of @guidance/guidance when it is imported`,
      hint: "Leave it out if another plugin imports it",
    });
  }
  imported.add(path);
  // a thread that decodes photographs finds transforms in modules of its own
  if (threadModules.length === 0) threadModules.push(new URL("../bin/hooks.mjs", import.meta.url).href);
  threadModules.push(module);
}

async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  const expected = `a ${extensions.slice(0, -1).join(", ")} or ${extensions.at(-1)} file`;
  if (!found) throw refusal({ facts: `there is no file "${path}"`, expected });
  if (found.isDirectory()) throw refusal({ facts: `"${path}" is a folder`, expected });
  if (!extensions.includes(extname(path))) throw refusal({ facts: `"${path}" is no module`, expected });
}

const refusal = (parts: Omit<ErrorParts, "what">): ValueError => new ValueError({ what: "plugin", ...parts });

/** How many things have a name. */
const registered = (): number => Object.values(registries).reduce((sum, { names }) => sum + names.length, 0);

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
