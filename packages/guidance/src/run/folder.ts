/** One folder for each run, never one that is there already: results are not overwritten. */

import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemReason } from "../system-error.ts";
import { RunError } from "./errors.ts";
import { makeFolder } from "./files.ts";

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

/** Throws RunError unless a run can have this name: letters, digits, `.`, `_` and `-`. */
export function checkRunName(name: string): void {
  if (/^[\w.-]+$/.test(name)) return;
  throw new RunError({
    what: "new run",
    facts: `it is named "${name}"`,
    expected: "letters, digits, `.`, `_` and `-` only",
    hint: "Choose another name with --name",
  });
}

/** Creates the folder `<root>/<time>-<name>`, or the first of `<time>-<name>-2`, `-3`... that is free, and gives its path. */
export async function createRunFolder({ root, name, time }: RunFolderOptions): Promise<string> {
  checkRunName(name);
  const path = join(root, `${timeStamp(time)}-${name}`);
  await make(() => makeFolder(root), root);
  for (let number = 1; ; number++) {
    const free = number === 1 ? path : `${path}-${number}`;
    if (await make(() => mkdir(free), free)) return free;
  }
}

/** Whether `create` made `path`; false where there is something of that name, RunError where it cannot be. */
async function make(create: () => Promise<unknown>, path: string): Promise<boolean> {
  try {
    await create();
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    throw new RunError({
      what: "new run",
      facts: `the folder "${path}" cannot be made (${systemReason(error)})`,
      expected: "a place where folders can be made",
      hint: "Choose another one with --out or --folder",
    });
  }
}

/** Creates the folder `path` for a new run; throws RunError, naming it, where there is something of that name. */
export async function claimRunFolder(path: string): Promise<void> {
  await make(() => makeFolder(dirname(path)), dirname(path));
  if (await make(() => mkdir(path), path)) return;
  throw new RunError({
    what: "new run",
    facts: `the folder "${path}" exists already`,
    expected: "a new folder",
    hint: `Continue the run in it with --resume "${path}", or choose another folder`,
  });
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
