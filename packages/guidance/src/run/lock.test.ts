// One process at a time: who is there is named, who is gone is not waited for.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { lockRun } from "./lock.ts";

const folder = mkdtempSync(join(tmpdir(), "guidance-lock-"));
const path = join(folder, "run.lock");
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => rmSync(path, { force: true }));

const put = (holder: object) => writeFileSync(path, `${JSON.stringify(holder)}\n`);
const here = { host: hostname(), started: null };

test("a lock names its process, is refused while that lives, and leaves nothing", () => {
  const release = lockRun(folder);
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pid: process.pid, host: hostname() });
  expect(() => lockRun(folder)).toThrow(`process ${process.pid} on ${hostname()} is training in "${folder}".`);
  release();
  expect(readdirSync(folder)).toEqual([]);
  lockRun(folder)();
});

test("the lock of a living process stands, and that of another host, whose processes cannot be seen", () => {
  const other = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
  try {
    put({ ...here, pid: other.pid });
    expect(() => lockRun(folder)).toThrow(`process ${other.pid} on`);
  } finally {
    other.kill("SIGKILL");
  }
  put({ ...here, host: "elsewhere", pid: 1 });
  expect(() => lockRun(folder)).toThrow(`process 1 on elsewhere is training in "${folder}". Expected one process`);
  expect(() => lockRun(folder)).toThrow(`remove "${path}"`);
});

test("what a dead process left, another one of its number has not, or nobody wrote is taken over", () => {
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  put({ ...here, pid });
  lockRun(folder)();
  if (process.platform === "linux") {
    put({ ...here, pid: process.pid, started: "1" });
    lockRun(folder)();
  }
  writeFileSync(path, "");
  lockRun(folder)();
  expect(readdirSync(folder)).toEqual([]);
});

test("who lost the lock to another does not remove it", () => {
  const release = lockRun(folder);
  put({ ...here, host: "elsewhere", pid: 1 });
  release();
  expect(readdirSync(folder)).toEqual(["run.lock"]);
});

test("a folder that cannot be written is named", () => {
  expect(() => lockRun(join(folder, "absent"))).toThrow(/^run: cannot write ".*run\.lock" \(no such file or folder\)/);
});
