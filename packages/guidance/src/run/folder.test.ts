import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkRunFolder, claimRunFolder, createRunFolder } from "./folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "guidance-folder-"));
});
afterEach(() => rm(folder, { recursive: true }));

const time = new Date(2026, 0, 31, 23, 5, 9);

test("a run has a folder named by time and name", async () => {
  const path = await createRunFolder({ root: join(folder, "runs"), name: "mnist-guided", time });
  expect(basename(path)).toBe("20260131-230509-mnist-guided");
  expect((await stat(path)).isDirectory()).toBe(true);
  await checkRunFolder(path);
});

test("runs of one name and second get folders of their own", async () => {
  const options = { root: folder, name: "run", time };
  const paths = await Promise.all([1, 2, 3].map(() => createRunFolder(options)));
  const first = "20260131-230509-run";
  expect(paths.map((path) => basename(path)).sort()).toEqual([first, `${first}-2`, `${first}-3`]);
});

test("a place where no folder can be made is named", async () => {
  await writeFile(join(folder, "file"), "");
  const message = /the folder ".*file.*" cannot be made \(part of the path is a file\)\. .*--out or --folder/;
  await expect(claimRunFolder(join(folder, "file", "run"))).rejects.toThrow(message);
  await expect(createRunFolder({ root: join(folder, "file", "runs"), name: "run", time })).rejects.toThrow(message);
});

test("a folder or file that exists is never taken, and the error says how to go on", async () => {
  const path = await createRunFolder({ root: folder, name: "run", time });
  await writeFile(join(path, "metrics.jsonl"), "{}\n");
  await expect(claimRunFolder(path)).rejects.toThrow(
    `the folder "${path}" exists already. Expected a new folder. Continue the run in it with --resume "${path}"`,
  );
  await expect(claimRunFolder(join(path, "metrics.jsonl"))).rejects.toThrow("exists already");
  expect((await stat(join(path, "metrics.jsonl"))).size).toBe(3);
});

test("names that would lead elsewhere are refused", async () => {
  await expect(createRunFolder({ root: folder, name: "../elsewhere", time })).rejects.toThrow("letters, digits");
  await expect(createRunFolder({ root: folder, name: "", time })).rejects.toThrow('new run: it is named ""');
});

test("only a folder can be resumed", async () => {
  await expect(checkRunFolder(join(folder, "absent"))).rejects.toThrow(/there is no folder ".*absent"/);
  await writeFile(join(folder, "file"), "");
  await expect(checkRunFolder(join(folder, "file"))).rejects.toThrow("Expected the folder of an earlier run");
});
