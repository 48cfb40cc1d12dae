/** One folder for each run, never one that is there already: results are not overwritten. */

import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RunError } from "./errors.ts";

/** What to call a run and where to put it. */
export interface RunFolderOptions {
  /** Folder of all runs, created if need be. */
  readonly root: string;
  /** Letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  /** When the run starts. */
  readonly time: Date;
}

/** Local time to the second in a form that sorts and that every file system takes, e.g. `20260131-235959`. */
function timeStamp(time: Date): string {
  const digits = (value: number, length = 2) => String(value).padStart(length, "0");
  const date = digits(time.getFullYear(), 4) + digits(time.getMonth() + 1) + digits(time.getDate());
  return `${date}-${digits(time.getHours())}${digits(time.getMinutes())}${digits(time.getSeconds())}`;
}

/** Creates the folder `<root>/<time>-<name>` and gives its path; throws RunError where it exists. */
export async function createRunFolder({ root, name, time }: RunFolderOptions): Promise<string> {
  if (!/^[\w.-]+$/.test(name)) {
    throw new RunError({
      what: "createRunFolder",
      facts: `the run is named "${name}"`,
      expected: "letters, digits, `.`, `_` and `-` only",
    });
  }
  const path = join(root, `${timeStamp(time)}-${name}`);
  await claimRunFolder(path);
  return path;
}

/** Creates the folder `path` for a new run; throws RunError, naming it, where there is something of that name. */
export async function claimRunFolder(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await mkdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new RunError({
      what: "new run",
      facts: `the folder "${path}" exists already`,
      expected: "a new folder",
      hint: `Continue the run in it with --resume "${path}", or choose another folder`,
    });
  }
}

/** Throws RunError unless `path` is the folder of an earlier run. */
export async function checkRunFolder(path: string): Promise<void> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return;
  throw new RunError({
    what: "run",
    facts: `there is no folder "${path}"`,
    expected: "the folder of an earlier run",
    hint: "Check the path",
  });
}
