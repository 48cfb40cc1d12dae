import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeFolder, removeLeftovers, stageFile, writeFileAtomic } from "./files.ts";

vi.mock("node:fs/promises", async (original) => {
  const actual = await original<typeof import("node:fs/promises")>();
  return { ...actual, link: vi.fn(actual.link) };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "guidance-files-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("files are created and replaced, and nothing else is left", async () => {
  const path = join(folder, "a.txt");
  await writeFileAtomic(path, "first");
  await writeFileAtomic(path, Uint8Array.of(0x6f, 0x6b));
  expect(await readFile(path, "utf8")).toBe("ok");
  expect(await readdir(folder)).toEqual(["a.txt"]);
});

test("until it is committed the old file stays", async () => {
  const path = join(folder, "a.txt");
  await writeFileAtomic(path, "old");
  const file = await stageFile(path, [Uint8Array.of(0x6e), Uint8Array.of(0x65, 0x77)]);
  expect(await readFile(path, "utf8")).toBe("old");
  await file.commit();
  expect(await readFile(path, "utf8")).toBe("new");
});

test("the same contents may be staged twice, and neither depends on the other", async () => {
  const file = await stageFile(join(folder, "a.txt"), [Uint8Array.of(0x61)]);
  const again = await file.again(join(folder, "b.txt"));
  await again.commit();
  await file.discard();
  expect(await readFile(join(folder, "b.txt"), "utf8")).toBe("a");
  expect(await readdir(folder)).toEqual(["b.txt"]);
});

test("where there are no hard links the contents are copied", async () => {
  vi.mocked(link).mockRejectedValueOnce(new Error("EPERM"));
  const file = await stageFile(join(folder, "a.txt"), [Uint8Array.of(0x61)]);
  const again = await file.again(join(folder, "b.txt"));
  await file.commit();
  await again.commit();
  const inodes = await Promise.all(["a.txt", "b.txt"].map(async (name) => (await stat(join(folder, name))).ino));
  expect(new Set(inodes).size).toBe(2);
  expect(await readFile(join(folder, "b.txt"), "utf8")).toBe("a");
});

test("writers of one path do not mix their contents", async () => {
  const path = join(folder, "a.txt");
  const texts = Array.from({ length: 8 }, (_, index) => String(index).repeat(10_000));
  await Promise.all(texts.map((text) => writeFileAtomic(path, text)));
  expect(texts).toContain(await readFile(path, "utf8"));
  expect(await readdir(folder)).toEqual(["a.txt"]);
});

test("what fails leaves nothing behind", async () => {
  function* parts(): Generator<Uint8Array> {
    yield Uint8Array.of(1);
    throw new Error("broken");
  }
  await expect(stageFile(join(folder, "a.txt"), parts())).rejects.toThrow("broken");
  await mkdir(join(folder, "taken"));
  await expect(writeFileAtomic(join(folder, "taken"), "text")).rejects.toThrow();
  await expect(writeFileAtomic(join(folder, "absent", "a.txt"), "text")).rejects.toThrow("ENOENT");
  expect(await readdir(folder)).toEqual(["taken"]);
});

test("what a writer that died left is removed, and nothing else", async () => {
  for (const name of ["a.txt.123-0.partial", "a.txt", "b.partial"]) await writeFile(join(folder, name), "x");
  await removeLeftovers(folder);
  expect((await readdir(folder)).sort()).toEqual(["a.txt", "b.partial"]);
});

test("a folder is made, or refused, at once, also where the working folder was deleted", async () => {
  const before = process.cwd();
  const gone = await mkdtemp(join(tmpdir(), "guidance-gone-"));
  process.chdir(gone);
  try {
    await rm(gone, { recursive: true });
    await makeFolder("a/b").catch((error: NodeJS.ErrnoException) => expect(error.code).toBe("ENOENT"));
  } finally {
    process.chdir(before);
    await rm(gone, { recursive: true, force: true });
  }
});
