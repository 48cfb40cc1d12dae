/**
 * Damaged checkpoints and records, 10,000 in all: what was written or an error of ours on the file, and quickly. Checksums
 * keep most damage from being looked at, so it is also done to files whose checksums are made to fit.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  cpuBackend,
  encodeSafetensorsHeader,
  GuidanceError,
  nn,
  type Operand,
  optim,
  type SafetensorsTensor,
} from "@guidance/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadProgress, saveProgress } from "../train/state.ts";
import { changes, mutate } from "../weights/fuzz.test.support.ts";
import { readCheckpoint } from "./checkpoint.test.support.ts";
import type { JsonObject } from "./json.ts";
import { MetricsWriter, readMetrics } from "./metrics.ts";
import { seal } from "./sealed.ts";

const folder = mkdtempSync(join(tmpdir(), "guidance-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true }));

const FORMAT = { name: "checkpoint", version: 4, hint: "" };

/** Longest time for one file of some kilobytes, in milliseconds, with a machine that does other things too. */
const MOST_MILLISECONDS = 2000;
/** Most bytes that one file of some kilobytes may make arrays of. */
const MOST_BYTES = 2 ** 26;

/** What `read` gives, or undefined where it refuses as it should. */
async function refusedOr<T>(read: () => Promise<T> | T): Promise<T | undefined> {
  const started = performance.now();
  const before = process.memoryUsage().arrayBuffers;
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof GuidanceError)) throw error;
    return undefined;
  } finally {
    expect(performance.now() - started).toBeLessThan(MOST_MILLISECONDS);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MOST_BYTES);
  }
}

class Tiny extends nn.Module {
  readonly norm = new nn.BatchNorm1d(2);
  readonly linear = new nn.Linear(2, 3);
  forward(x: Operand) {
    return this.linear.call(this.norm.call(x));
  }
}

const backend = cpuBackend();
const model = new Tiny().named("student");
const trained = { model, optimizer: new optim.Adam(model.parameters(), { learningRate: 1 }), generators: [] };
afterAll(() => backend.close());
let description: JsonObject;
let json: Buffer;
let tensors: Buffer;
let values: Map<string, SafetensorsTensor>;
beforeAll(async () => {
  const progress = { step: 3, best: { step: 2, loss: 0.5 }, top: [{ step: 2, loss: 0.5 }], seconds: 1.5 };
  await saveProgress(folder, ["last"], trained, progress, { name: "tiny", list: [1, null] });
  json = readFileSync(join(folder, "last.json"));
  const { guidance: _seal, ...body } = JSON.parse(json.toString());
  description = body;
  tensors = readFileSync(join(folder, body.tensors.file));
  values = (await readCheckpoint(folder, "last")).tensors;
});

/** Puts a checkpoint of these tensors into the folder, whose checksums fit. */
function putTensors(bytes: Buffer): void {
  const { file } = description.tensors as JsonObject;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  writeFileSync(join(folder, file as string), bytes);
  const fitting = { ...description, tensors: { file: file as string, bytes: bytes.length, sha256 } };
  writeFileSync(join(folder, "last.json"), seal(FORMAT, fitting));
}

/** Reads the checkpoint, whichever tensors it has. */
async function tryRead(): Promise<void> {
  const read = await refusedOr(() => readCheckpoint(folder, "last"));
  for (const { shape, data } of read?.tensors.values() ?? []) {
    expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
  }
}

test("mutations of the description change nothing that is loaded (2,500)", async () => {
  putTensors(tensors);
  const property = fc.asyncProperty(changes, async (list) => {
    writeFileSync(join(folder, "last.json"), list.reduce(mutate, json));
    const read = await refusedOr(() => readCheckpoint(folder, "last"));
    if (!read) return;
    expect(read.state).toEqual(description.state);
    expect(read.tensors).toEqual(values);
  });
  await fc.assert(property, { numRuns: 2500 });
});

/** Paths of all values in a description. */
function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = Array.isArray(value) ? [...value] : { ...(value as object) };
  (copy as Record<string, unknown>)[key] = replaced((value as Record<string, unknown>)[key], rest, by);
  return copy;
}

const hostile = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(-1, 0.5, 2 ** 53, 1e300, Number.NaN, "../../etc/passwd", "", "last.json", {}, [], null, true),
);

test("descriptions with any value anywhere, sealed anew (1,500)", async () => {
  putTensors(tensors);
  const paths = pathsOf(description);
  const property = fc.asyncProperty(fc.constantFrom(...paths), hostile, async (path, value) => {
    const body = replaced(description, path, value) as JsonObject;
    writeFileSync(join(folder, "last.json"), seal(FORMAT, { ...body }));
    const progress = await refusedOr(() => loadProgress(folder, "last", trained, backend));
    if (progress) expect(Number.isSafeInteger(progress.step)).toBe(true);
    expect(Number.isSafeInteger(trained.optimizer.stepCount)).toBe(true);
  });
  await fc.assert(property, { numRuns: 1500 });
});

test("mutations of the header of the tensors, with a hash that fits (2,500)", async () => {
  const header = encodeSafetensorsHeader(values).bytes.length;
  const property = fc.asyncProperty(changes, async (list) => {
    putTensors(Buffer.concat([list.reduce(mutate, tensors.subarray(0, header)), tensors.subarray(header)]));
    await tryRead();
  });
  await fc.assert(property, { numRuns: 2500 });
});

test("headers that claim anything (1,000)", async () => {
  const size = fc.constantFrom(0, 1, 3, 2 ** 31, 2 ** 40, 2 ** 53 - 1, -1, 0.5);
  const claimed = fc.record({
    dtype: fc.constantFrom("F32", "F64", "I64", "BOOL", "F8"),
    shape: fc.array(size, { maxLength: 4 }),
    data_offsets: fc.array(size, { minLength: 1, maxLength: 3 }),
  });
  const names = fc.constantFrom(...values.keys(), "__proto__", "__metadata__", "\n");
  const property = fc.asyncProperty(fc.dictionary(names, claimed), fc.option(size), async (entries, length) => {
    const text = Buffer.from(JSON.stringify(entries));
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(Math.abs(Math.trunc(length ?? text.length))));
    putTensors(Buffer.concat([start, text, tensors.subarray(-8)]));
    await tryRead();
  });
  await fc.assert(property, { numRuns: 1000 });
});

test("random bytes as either file (500)", async () => {
  const property = fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, isDescription) => {
    putTensors(isDescription ? tensors : Buffer.from(bytes));
    if (isDescription) writeFileSync(join(folder, "last.json"), bytes);
    await tryRead();
  });
  await fc.assert(property, { numRuns: 500 });
});

test("mutations of metrics: lines as they were, or an error that names one; a reopened file goes on (2,000)", async () => {
  const path = join(folder, "metrics.jsonl");
  const writer = new MetricsWriter(path);
  const records = [1, 2, 3, 4].map((step) => ({ kind: "step", step, loss: step === 2 ? Number.NaN : 1 / step }));
  for (const record of records) writer.write(record);
  writer.close();
  const whole = readFileSync(path);
  const known = new Set(records.map((record) => JSON.stringify(record)));
  const property = fc.asyncProperty(changes, async (list) => {
    writeFileSync(path, list.reduce(mutate, whole));
    const before = await refusedOr(() => readMetrics(path));
    if (!before) return;
    for (const record of before) expect(known).toContain(JSON.stringify(record));
    const again = new MetricsWriter(path);
    again.write(records[0]);
    again.close();
    const after = await refusedOr(() => readMetrics(path));
    expect(after).toEqual([...before, records[0]]);
  });
  await fc.assert(property, { numRuns: 2000 });
});
