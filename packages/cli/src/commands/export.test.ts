/** Import and export: what is written, what is never overwritten, and which network of a run is taken. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  defaultConfig,
  hashFile,
  type JsonObject,
  openWeights,
  saveWeights,
  seal,
  writeCheckpoint,
} from "@guidance/guidance";
import { type SafetensorsTensor, safetensorsBytes } from "@guidance/tensor";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { describeError } from "../errors.ts";
import { buildProgram } from "../program.ts";

const folder = mkdtempSync(join(tmpdir(), "guidance-export-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

const at = (...names: string[]): string => join(folder, ...names);
const torchFile = fileURLToPath(new URL("../../../guidance/src/weights/fixtures/wrapped-legacy.pth", import.meta.url));

/** The line that a command prints, or the one it is refused with. */
async function line(...args: string[]): Promise<string> {
  const printed: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text).trimEnd()) > 0);
  const refused = await buildProgram()
    .parseAsync(args, { from: "user" })
    .then(
      () => [],
      (error: unknown) => [describeError(error)],
    );
  const lines = [...printed, ...refused];
  expect(lines).toHaveLength(1);
  return lines[0];
}

const tensor = (value: number): SafetensorsTensor => ({ dtype: "F32", shape: [1], data: Float32Array.of(value) });

/** What the tensor `w` of a file holds. */
async function storedValue(path: string): Promise<number> {
  const file = await openWeights(path);
  expect(file.names).toEqual(["w"]);
  const { data } = await file.read("w");
  await file.close();
  return Number(data[0]);
}

/** A run whose networks have one tensor each, with the given record of its guide. */
async function makeRun(name: string, guide?: object): Promise<string> {
  const run = at(name);
  mkdirSync(run);
  const put = (file: string, name: string, body: object) =>
    writeFileSync(join(run, file), seal({ name: `${name} of a run`, version: 1, hint: "" }, body as JsonObject));
  put("config.json", "configuration", defaultConfig);
  put("environment.json", "environment", { plugins: [], guides: "../guides", choices: {}, starts: [] });
  if (guide) put("guide.json", "guide", guide);
  const write = (arm: string, checkpoint: string, value: number) => {
    const types = new Map(Object.entries({ w: tensor(value), "optimizer.w.m": tensor(0) }));
    const parts = (key: string) => [safetensorsBytes(key, types.get(key)!)];
    return writeCheckpoint(join(run, arm), [checkpoint], { tensors: { types, parts }, state: {} });
  };
  await write("guided", "last", 1);
  await write("guided", "best", 2);
  await write("unguided", "last", 3);
  return run;
}

test("import writes safetensors, and nothing that is there without --force", async () => {
  const out = at("imported.safetensors");
  expect(await line("import", torchFile, out)).toMatch(/^wrote .*imported\.safetensors: 7 tensors, \d+ B$/);
  const file = await openWeights(out);
  expect(file.format).toBe("safetensors");
  expect(file.names).toContain("1.running_mean");
  await file.close();
  const before = readFileSync(out);
  expect(await line("import", torchFile, out)).toMatch(/^output: there is a file .* replace it with --force\.$/);
  expect(readFileSync(out)).toEqual(before);
  expect(await line("import", torchFile, out, "--force")).toMatch(/^wrote /);
  expect(await line("import", torchFile, at("imported.pth"))).toMatch("Expected a name that ends in .safetensors");
});

test("export of a file goes by the extension", async () => {
  await saveWeights(at("w.safetensors"), new Map([["w", tensor(5)]]));
  expect(await line("export", at("w.safetensors"), at("w.pth"))).toMatch(/^wrote .*w\.pth: 1 tensors, /);
  expect(await storedValue(at("w.pth"))).toBe(5);
  expect(await line("export", at("w.pth"), at("w.onnx"))).toMatch("its extension names no format");
  expect(await line("export", at("w.pth"), at("again.pt"), "--arm", "guided")).toMatch("is no folder");
});

test("a wrong input is told as one, though there is an output already", async () => {
  const run = await makeRun("no-outputs");
  const [out, none] = [at("there.safetensors"), at("nothing.pth")];
  await saveWeights(out, new Map([["w", tensor(5)]]));
  for (const command of ["import", "export"]) {
    expect(await line(command, none, out)).toMatch(/^weights file ".*nothing\.pth": /);
    expect(await line(command, out, out)).toMatch(/^output: there is a file/);
  }
  expect(await line("export", run, out, "--checkpoint", "top-3")).toMatch(/^checkpoint: the run /);
  expect(await line("export", run, out)).toMatch(/^output: there is a file/);
  expect(await storedValue(out)).toBe(5);
});

test("export of a run takes the network and the checkpoint, without the optimizer", async () => {
  const run = await makeRun("run");
  for (const [index, args] of [[], ["--checkpoint", "best"], ["--arm", "unguided"]].entries()) {
    const out = at(`student-${index}.pth`);
    expect(await line("export", run, out, ...args)).toMatch(/^wrote .* 1 tensors, /);
    expect(await storedValue(out)).toBe(index + 1);
  }
  expect(await line("export", run, at("none.pth"), "--checkpoint", "top-3")).toBe(
    `checkpoint: the run "${run}" has no checkpoint "top-3" of "guided". ` +
      "Expected one that is there: guided best, guided last, unguided last. Choose another arm or checkpoint.",
  );
  rmSync(join(run, "unguided"), { recursive: true });
  expect(await line("export", run, at("none.pth"), "--arm", "unguided")).toMatch(
    /no checkpoint "last" of "unguided"\. Expected one that is there: guided best, guided last\./,
  );
});

test("export of a guide takes the cached one or its file, as the run has it", async () => {
  mkdirSync(at("guides"), { recursive: true });
  await saveWeights(at("guides", "abc.safetensors"), new Map([["w", tensor(7)]]));
  const trained = await makeRun("trained", { key: "abc" });
  await line("export", trained, at("guide.pth"), "--arm", "guide");
  expect(await storedValue(at("guide.pth"))).toBe(7);
  expect(await line("export", trained, at("x.pth"), "--arm", "guide", "--checkpoint", "best")).toMatch("no checkpoint");

  await saveWeights(at("given.pth"), new Map([["w", tensor(8)]]));
  const record = { weights: at("given.pth"), sha256: await hashFile(at("given.pth")) };
  const loaded = await makeRun("loaded", record);
  await line("export", loaded, at("given.safetensors"), "--arm", "guide");
  expect(await storedValue(at("given.safetensors"))).toBe(8);
  await saveWeights(at("given.pth"), new Map([["w", tensor(9)]]));
  expect(await line("export", loaded, at("y.pth"), "--arm", "guide")).toMatch("which is another file now");

  const random = await makeRun("random");
  expect(await line("export", random, at("z.pth"), "--arm", "guide")).toMatch("has random weights");
});
