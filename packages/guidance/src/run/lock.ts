/**
 * One process at a time trains in a folder: a file there names the process that does. What a process that was killed leaves is
 * taken over, since its number (and, where the system tells it, the time it was started) shows that it is gone.
 */
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { RunError, unwritable } from "./errors.ts";

const LOCK = "run.lock";

/** What the file says: a process, and on which host. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process was started, on Linux: another one may have its number by now. */
  readonly started: string | null;
}

/** When a process was started, in the system's own count; null where that is not told, undefined where it is gone. */
function startOf(pid: number): string | null | undefined {
  if (process.platform !== "linux") return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // after the name in brackets: state, and 19 fields further the time
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Whether a process of this host is there still. */
function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is somebody else's
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const start = startOf(pid);
  return start !== undefined && (start === null || started === null || start === started);
}

/** The text of the lock, if there is one. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Who `text` names; undefined where it is no lock of ours. */
function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, host, started } = JSON.parse(text);
    return Number.isInteger(pid) && pid > 0 && typeof host === "string" ? { pid, host, started } : undefined;
  } catch {
    return undefined;
  }
}

/** Creates `path` with all of `text` at once; false where it is there already. */
function create(path: string, text: string): boolean {
  const own = `${path}.${randomUUID()}`;
  try {
    writeFileSync(own, text, { flag: "wx" });
    try {
      linkSync(own, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      // a file system without links
      writeFileSync(path, text, { flag: "wx" });
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Removes the lock that was found to be `stale`, unless another process has just done so and has its own there. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const found = read(aside);
  rmSync(aside, { force: true });
  if (found !== undefined && found !== stale) create(path, found);
}

/**
 * Makes this process the one that trains in `folder`, until it ends or calls what is returned. Throws RunError, naming the
 * other, where one does already.
 */
export function lockRun(folder: string): () => void {
  const path = join(folder, LOCK);
  const own: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid) ?? null };
  const text = `${JSON.stringify(own)}\n`;
  try {
    while (!create(path, text)) {
      const found = read(path);
      if (found === undefined) continue;
      const holder = parseHolder(found);
      if (holder && (holder.host !== own.host || isAlive(holder))) throw held(folder, path, holder);
      removeStale(path, found);
    }
  } catch (error) {
    throw error instanceof RunError ? error : unwritable(path, error);
  }
  const release = () => {
    process.off("exit", release);
    try {
      if (read(path) === text) rmSync(path);
    } catch {
      // the folder is gone, or cannot be written any more: what is left names a process that will be gone
    }
  };
  process.on("exit", release);
  return release;
}

function held(folder: string, path: string, { pid, host }: Holder): RunError {
  return new RunError({
    what: "run",
    facts: `process ${pid} on ${host} is training in "${folder}"`,
    expected: "one process at a time",
    hint: `Wait until it has ended, or stop it; if there is no such process any more, remove "${path}"`,
  });
}
