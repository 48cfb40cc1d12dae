/** What is written is read back, bit for bit, in every format; test/weights.test.ts has what torch makes of it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nn, type SafetensorsTensor } from "@guidance/tensor";
import { afterAll, expect, test } from "vitest";
import { loadWeightsInto } from "./load.ts";
import { openWeights } from "./open.ts";
import { saveWeights } from "./save.ts";

const folder = mkdtempSync(join(tmpdir(), "guidance-weights-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tensors = new Map<string, SafetensorsTensor>([
  ["float32", { dtype: "F32", shape: [1, 2], data: Float32Array.of(1.5, Number.NaN) }],
  ["float64", { dtype: "F64", shape: [1], data: Float64Array.of(0.1) }],
  ["float16", { dtype: "F16", shape: [2], data: Uint16Array.of(0x3e00, 0xc000) }],
  ["int64", { dtype: "I64", shape: [], data: BigInt64Array.of(-(2n ** 62n)) }],
  ["int32", { dtype: "I32", shape: [1], data: Int32Array.of(-7) }],
  ["uint8", { dtype: "U8", shape: [3], data: Uint8Array.of(0, 1, 255) }],
  ["bool", { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) }],
  ["none \u{1f642}", { dtype: "F32", shape: [0, 2], data: new Float32Array(0) }],
]);

async function readAll(path: string): Promise<Map<string, SafetensorsTensor>> {
  const file = await openWeights(path);
  const read = new Map<string, SafetensorsTensor>();
  for (const name of file.names) read.set(name, await file.read(name));
  await file.close();
  return read;
}

test.each(["a.pth", "a.pt", "a.safetensors"])("%s", async (name) => {
  const path = join(folder, name);
  const { tensors: count, bytes } = await saveWeights(path, tensors);
  expect(count).toBe(tensors.size);
  expect(bytes).toBe(readFileSync(path).length);
  const read = await readAll(path);
  expect(Object.fromEntries(read)).toEqual(Object.fromEntries(tensors));
});

test("from one file to another, and over the file that is read", async () => {
  const path = join(folder, "b.pth");
  await saveWeights(path, tensors);
  const file = await openWeights(path);
  await saveWeights(path, file);
  await file.close();
  expect(await readAll(path)).toEqual(tensors);
});

test("U32, which torch has not, becomes I64", async () => {
  const path = join(folder, "unsigned.pth");
  await saveWeights(path, new Map([["w", { dtype: "U32", shape: [1], data: Uint32Array.of(2 ** 32 - 1) }]]));
  expect((await readAll(path)).get("w")).toEqual({ dtype: "I64", shape: [1], data: BigInt64Array.of(2n ** 32n - 1n) });
});

test("contents begin at multiples of 64 bytes", async () => {
  const path = join(folder, "aligned.pth");
  await saveWeights(path, new Map([["w", { dtype: "F32", shape: [2], data: Float32Array.of(123456, 654321) }]]));
  const values = Buffer.from(Float32Array.of(123456, 654321).buffer);
  expect(readFileSync(path).indexOf(values) % 64).toBe(0);
});

test("an unknown extension and a folder that is not there are refused, and nothing is left", async () => {
  await expect(saveWeights(join(folder, "w.bin"), tensors)).rejects.toThrow("Expected .safetensors, .pth, .pt");
  await expect(saveWeights(join(folder, "none", "w.pth"), tensors)).rejects.toThrow("it cannot be written");
  expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);
});

test("a writer that fails leaves what was there", async () => {
  const path = join(folder, "kept.pth");
  writeFileSync(path, "before");
  const read = () => Promise.reject(new Error("gone"));
  await expect(saveWeights(path, { types: tensors, read })).rejects.toThrow("it cannot be written (gone)");
  expect(readFileSync(path, "utf8")).toBe("before");
});

test("a module takes them, or one error names all that does not fit", async () => {
  const path = join(folder, "linear.pth");
  const source = new nn.Linear(3, 2);
  await saveWeights(path, await source.stateDict());
  const file = await openWeights(path);
  const model = new nn.Linear(3, 2);
  await loadWeightsInto(model, file);
  expect(await model.stateDict()).toEqual(await source.stateDict());
  const other = new nn.Sequential(new nn.Linear(2, 2));
  await expect(loadWeightsInto(other, file)).rejects.toThrow(/missing: 0\.weight, 0\.bias; unexpected: weight, bias\)/);
  await expect(loadWeightsInto(new nn.Linear(2, 2), file)).rejects.toThrow(
    "different: weight is F32 [2, 3] instead of F32 [2, 2]",
  );
  await file.close();
});

test.each(["c.pth", "c.safetensors"])("%s tells how far it is, to its end", async (name) => {
  const seen: number[] = [];
  let total = 0;
  await saveWeights(join(folder, name), tensors, (bytes, of) => {
    seen.push(bytes);
    total = of;
  });
  expect(seen.length).toBeGreaterThan(tensors.size);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(total);
  expect(seen[0]).toBeLessThan(total);
});
