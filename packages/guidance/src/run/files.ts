/**
 * Writing a file so that a crash at any moment leaves the old file or the new one, never a part.
 *
 * The contents go to a temporary file beside it, which is flushed to the disk and then renamed over it.
 */

import { constants } from "node:fs";
import { copyFile, type FileHandle, link, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** A file whose contents are on the disk under a temporary name. */
export interface StagedFile {
  /** Puts the file in its place, or in that of `target` in the same folder, replacing what was there. */
  commit(target?: string): Promise<void>;
  /** Stages the same contents once more, for `path`: without a copy where the file system has hard links or clones. */
  again(path: string): Promise<StagedFile>;
  /** Removes the temporary file; after `commit` there is none. */
  discard(): Promise<void>;
}

let staged = 0;

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < bytes.length) offset += (await file.write(bytes, offset, bytes.length - offset)).bytesWritten;
}

/** Flushes the names of a folder to the disk; on Windows folders cannot be opened, and renaming is durable by itself. */
async function flushFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes `parts` one after another to a temporary file beside `path`; removes it again when that fails. */
export async function stageFile(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<StagedFile> {
  return stage(path, async (temporary) => {
    const file = await open(temporary, "wx");
    try {
      for await (const part of parts) await writeAll(file, part);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

async function stage(path: string, write: (temporary: string) => Promise<void>): Promise<StagedFile> {
  // Unique among processes and calls, so that two writers of one path do not mix their contents.
  const temporary = `${path}.${process.pid}-${staged++}.partial`;
  const discard = () => rm(temporary, { force: true });
  try {
    await write(temporary);
  } catch (error) {
    await discard();
    throw error;
  }
  const commit = async (target = path) => {
    await rename(temporary, target);
    await flushFolder(dirname(path));
  };
  return { commit, discard, again: (other) => stageCopy(temporary, other) };
}

/** Stages for `path` what the file `source` has: without a copy where the file system has hard links or clones. */
export function stageCopy(source: string, path: string): Promise<StagedFile> {
  return stage(path, (copy) => duplicate(source, copy));
}

/** Makes `copy` a file with what `path` has, on the disk as that is. */
async function duplicate(path: string, copy: string): Promise<void> {
  try {
    await link(path, copy);
  } catch {
    await copyFile(path, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const file = await open(copy, "r+");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/** Removes what writers that died left in `folder`: call it while nobody writes there. */
export async function removeLeftovers(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) => /\.\d+-\d+\.partial$/.test(name));
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })));
}

/** Replaces or creates the file `path` as a whole. */
export async function writeFileAtomic(path: string, contents: string | Uint8Array): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  const file = await stageFile(path, [bytes]);
  try {
    await file.commit();
  } finally {
    await file.discard();
  }
}

/**
 * Makes a folder and those it lies in, where they are missing. The path is made absolute first: in a working folder that was
 * deleted, Node makes a relative one for ever.
 */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(resolve(path), { recursive: true });
}
