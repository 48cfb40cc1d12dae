/** A checkpoint that is asked for and not there: the ones that are, of all students of the run, tell what to ask for. */

import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { RunError } from "./errors.ts";

/** The error of `folder`, the one of a network in the folder of a run, which has no checkpoint `name`. */
export async function missingCheckpoint(folder: string, name: string): Promise<RunError> {
  const run = dirname(folder);
  const arm = basename(resolve(folder));
  const there: string[] = [];
  for (const each of await namesIn(run)) {
    // it is only what the guide's training goes on from
    if (each === "guide") continue;
    for (const checkpoint of await checkpointsIn(join(run, each))) there.push(`${each} ${checkpoint}`);
  }
  return new RunError({
    what: "checkpoint",
    facts: `the run "${run}" has no checkpoint "${name}" of "${arm}"`,
    expected: there.length > 0 ? `one that is there: ${there.join(", ")}` : "a run that has saved one",
    hint: there.length > 0 ? "Choose another arm or checkpoint" : "Let the run go on until it has",
  });
}

async function checkpointsIn(folder: string): Promise<string[]> {
  const names = await namesIn(folder);
  return names
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .filter((name) => names.some((file) => file.startsWith(`${name}-`) && file.endsWith(".safetensors")));
}

/** What is in a folder, sorted; nothing where it is none. */
const namesIn = (folder: string): Promise<string[]> =>
  readdir(folder).then(
    (names) => names.sort(),
    () => [],
  );
