import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { readSafetensors, type SafetensorsTensor, type SafetensorsType } from "@guidance/tensor";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readCheckpoint, sourceOf } from "./checkpoint.test.support.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import type { StagedFile, stageFile } from "./files.ts";
import { seal } from "./sealed.ts";

/** Ends the process, as far as the disk can tell, before this rename; none unless set. */
const crash = vi.hoisted(() => ({ before: Infinity, renames: 0 }));
vi.mock("./files.ts", async (original) => {
  const files = await original<{ stageFile: typeof stageFile }>();
  const crashing = (file: StagedFile): StagedFile => ({
    ...file,
    commit: async (target) => {
      if (++crash.renames >= crash.before) throw new Error("crash");
      await file.commit(target);
    },
    again: async (path) => crashing(await file.again(path)),
  });
  return {
    ...files,
    stageFile: async (...args: Parameters<typeof stageFile>) => crashing(await files.stageFile(...args)),
  };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "guidance-checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true }));

function tensorsAt(step: number): Map<string, SafetensorsTensor> {
  return new Map<string, SafetensorsTensor>([
    ["layer.weight", { dtype: "F32", shape: [2, 3], data: Float32Array.of(step, 1, 2, 3, 4, 5) }],
    ["layer.bias", { dtype: "F32", shape: [2], data: Float32Array.of(-1, Number.NaN) }],
    ["norm.num_batches_tracked", { dtype: "I64", shape: [], data: BigInt64Array.of(BigInt(step)) }],
  ]);
}

const stateAt = (step: number) => ({ step, best: Number.POSITIVE_INFINITY, generator: { seed: 1, counter: 4 } });
const checkpoint = (step: number) => ({ tensors: sourceOf(tensorsAt(step)), state: stateAt(step) });

const inFolder = (name: string) => join(folder, name);

/** The file with the tensors of checkpoint `name`. */
async function tensorsOf(name: string, within = folder): Promise<string> {
  const { tensors } = JSON.parse(await readFile(join(within, `${name}.json`), "utf8"));
  return join(within, tensors.file);
}

test("what is written is read, and the tensors are a safetensors file", async () => {
  await writeCheckpoint(join(folder, "new"), ["last"], checkpoint(3));
  const expected = tensorsAt(3);
  const read = await readCheckpoint(join(folder, "new"), "last", expected);
  expect(read.state).toEqual(stateAt(3));
  expect(Object.fromEntries(read.tensors)).toEqual(Object.fromEntries(expected));
  const { tensors } = readSafetensors(await readFile(await tensorsOf("last", join(folder, "new"))));
  expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(expected));
});

test("a checkpoint replaces the one before and leaves nothing else", async () => {
  await writeCheckpoint(folder, ["last"], checkpoint(1));
  await writeCheckpoint(folder, ["last"], checkpoint(2));
  expect((await readCheckpoint(folder, "last")).state.step).toBe(2);
  expect((await readdir(folder)).sort()).toEqual([basename(await tensorsOf("last")), "last.json"]);
});

test("a checkpoint that cannot be written leaves the one before", async () => {
  await writeCheckpoint(folder, ["last"], checkpoint(1));
  const tensors = {
    types: new Map([["w", { dtype: "F32", shape: [3] } as const]]),
    parts: () => [new Uint8Array(4), new Uint8Array(4)],
  };
  const failed = writeCheckpoint(folder, ["last"], { tensors, state: {} });
  await expect(failed).rejects.toThrow('tensor "w": it has 8 bytes. Expected 12.');
  expect((await readCheckpoint(folder, "last")).state.step).toBe(1);
  expect((await readdir(folder)).sort()).toEqual([basename(await tensorsOf("last")), "last.json"]);
});

describe.each([1, 2])("a crash before rename %i", (before) => {
  afterEach(() => Object.assign(crash, { before: Infinity, renames: 0 }));

  test("leaves the old checkpoint whole, and the next one cleans up", async () => {
    await writeCheckpoint(folder, ["last"], checkpoint(1));
    await writeCheckpoint(folder, ["last-other"], checkpoint(7));
    Object.assign(crash, { before, renames: 0 });
    await expect(writeCheckpoint(folder, ["last"], checkpoint(2))).rejects.toThrow("crash");
    expect((await readCheckpoint(folder, "last")).state.step).toBe(1);
    crash.before = Infinity;
    await writeCheckpoint(folder, ["last"], checkpoint(3));
    expect((await readCheckpoint(folder, "last")).state.step).toBe(3);
    expect((await readCheckpoint(folder, "last-other")).state.step).toBe(7);
    expect((await readdir(folder)).filter((file) => file.endsWith(".safetensors"))).toHaveLength(2);
  });
});

test("the same state may be written twice", async () => {
  await writeCheckpoint(folder, ["last"], checkpoint(1));
  await writeCheckpoint(folder, ["last"], checkpoint(1));
  expect((await readCheckpoint(folder, "last")).state.step).toBe(1);
});

test("a reader never meets a checkpoint that is half replaced", async () => {
  await writeCheckpoint(folder, ["last"], checkpoint(0));
  let writing = true;
  const writer = (async () => {
    for (let step = 1; step <= 20; step++) await writeCheckpoint(folder, ["last"], checkpoint(step));
    writing = false;
  })();
  while (writing) {
    const { tensors, state } = await readCheckpoint(folder, "last");
    expect(tensors.get("layer.weight")?.data[0]).toBe(state.step);
  }
  await writer;
});

test("tensors larger than a chunk are written and read whole", async () => {
  const data = Float32Array.from({ length: 2 ** 22 + 3 }, (_, index) => index);
  const tensors = new Map([["large", { dtype: "F32", shape: [data.length], data } as const]]);
  await writeCheckpoint(folder, ["last"], { tensors: sourceOf(tensors), state: {} });
  const read = (await readCheckpoint(folder, "last")).tensors.get("large")!.data as Float32Array;
  expect(Buffer.compare(Buffer.from(read.buffer), Buffer.from(data.buffer))).toBe(0);
});

test("files of two moments are refused", async () => {
  await writeCheckpoint(folder, ["first"], checkpoint(1));
  await writeCheckpoint(folder, ["second"], checkpoint(2));
  await copyFile(await tensorsOf("second"), await tensorsOf("first"));
  await expect(readCheckpoint(folder, "first")).rejects.toThrow(
    /first-[\da-f]{16}.safetensors" has sha256 .*use another checkpoint/,
  );
});

test("truncated tensors are refused with both sizes", async () => {
  await writeCheckpoint(folder, ["last"], checkpoint(1));
  const { length } = await readFile(await tensorsOf("last"));
  await truncate(await tensorsOf("last"), length - 5);
  await expect(readCheckpoint(folder, "last")).rejects.toThrow(`has ${length - 5} bytes. Expected ${length} bytes`);
});

test("a damaged header is refused with the file's name", async () => {
  await writeCheckpoint(folder, ["last"], checkpoint(1));
  const bytes = await readFile(await tensorsOf("last"));
  bytes[9] = 0;
  await writeFile(await tensorsOf("last"), bytes);
  await expect(readCheckpoint(folder, "last")).rejects.toThrow(/last-[\da-f]{16}.safetensors" has a damaged header/);
});

test("missing files are named", async () => {
  await expect(readCheckpoint(folder, "best")).rejects.toThrow(
    /^checkpoint: the run ".*" has no checkpoint "best" of /,
  );
  await writeCheckpoint(folder, ["last"], checkpoint(1));
  await rm(await tensorsOf("last"));
  await expect(readCheckpoint(folder, "last")).rejects.toThrow(
    /cannot read ".*last-[\da-f]{16}.safetensors" \(no such file or folder\)/,
  );
});

test.each([
  [{}, "lacks `tensors` or `state`"],
  [{ state: {}, tensors: {} }, "lacks file name, size or hash of the tensors"],
  [
    { state: {}, tensors: { file: "../x", bytes: 1, sha256: "" } },
    'names the tensors "../x", which is not a file beside it',
  ],
])("a description of other form is refused: %j", async (description, message) => {
  await writeFile(inFolder("last.json"), seal({ name: "checkpoint", version: 4, hint: "" }, description));
  await expect(readCheckpoint(folder, "last")).rejects.toThrow(message);
});

test("a description that was edited is refused", async () => {
  await writeCheckpoint(folder, ["last"], checkpoint(1));
  const text = await readFile(inFolder("last.json"), "utf8");
  await writeFile(inFolder("last.json"), text.replace('"step": 1', '"step": 2'));
  await expect(readCheckpoint(folder, "last")).rejects.toThrow(/last\.json" is damaged or was edited/);
});

test("names saved together have the same tensors, which lie on the disk once", async () => {
  let reads = 0;
  const source = sourceOf(tensorsAt(1));
  const parts = (name: string) => {
    reads++;
    return source.parts(name);
  };
  await writeCheckpoint(folder, ["best", "last"], { tensors: { ...source, parts }, state: {} });
  expect(reads).toBe(source.types.size);
  const [best, last] = [await tensorsOf("best"), await tensorsOf("last")];
  expect((await stat(best)).ino).toBe((await stat(last)).ino);
  await writeCheckpoint(folder, ["last"], checkpoint(2));
  expect((await readCheckpoint(folder, "best")).tensors).toEqual(tensorsAt(1));
  expect((await readCheckpoint(folder, "last")).tensors).toEqual(tensorsAt(2));
  expect(await readdir(folder)).toHaveLength(4);
});

test("tensors that are not the model's are named", async () => {
  await writeCheckpoint(folder, ["last"], checkpoint(1));
  const many = Array.from({ length: 7 }, (_, index): [string, SafetensorsType] => [
    `extra.${index}`,
    { dtype: "F32", shape: [1] },
  ]);
  const expected = new Map<string, SafetensorsType>([
    ["layer.weight", { dtype: "F32", shape: [3, 2] }],
    ["layer.bias", { dtype: "F64", shape: [2] }],
    ...many,
  ]);
  await expect(readCheckpoint(folder, "last", expected)).rejects.toThrow(
    "(missing: extra.0, extra.1, extra.2, extra.3, extra.4 and 2 more; unexpected: norm.num_batches_tracked; " +
      "different: layer.weight is F32 [2, 3] instead of F32 [3, 2], layer.bias is F32 [2] instead of F64 [2])",
  );
});
