// Networks side by side, as a user compares them: fresh ones, those of a run, and those of a file.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openBackend } from "@guidance/shaders";
import { beforeAll, describe, expect, test } from "vitest";
import { openTier } from "../support/tiers.ts";
import { guidance, scratch, tiny } from "./command.ts";

const webgpu = await openTier("webgpu", openBackend, ({ name }) => name);
await webgpu?.close();

const cwd = scratch()();
/** Data and sizes of the tiny networks, without what is of training alone. */
const sizes = tiny
  .slice(2)
  .join(" ")
  .replace(/ --batch \d+ --steps \d+| --guide-steps .*/g, "")
  .split(" ");
const common = ["--device", "cpu", ...sizes];

interface Result {
  readonly similarity: string;
  readonly samples: number;
  readonly rows: readonly { readonly name: string }[];
  readonly columns: readonly { readonly name: string }[];
  readonly matrix: readonly (readonly number[])[];
}

async function compare(...args: string[]): Promise<Result> {
  const { status, stdout, output } = await guidance(["compare", ...args, "--json"], { cwd });
  expect(status, output).toBe(0);
  return JSON.parse(stdout);
}

async function refusal(...args: string[]): Promise<string> {
  const { status, stderr } = await guidance(["compare", "--device", "cpu", ...args], { cwd });
  expect(stderr).toMatch(/^error: [^\n]*\n$/);
  expect(status).toBe(1);
  return stderr;
}

beforeAll(async () => {
  const { status, output } = await guidance(["train", ...tiny, "--folder", "run", "--similarity", "rbf-cka"], { cwd });
  expect(status, output).toBe(0);
});

test("a map in the terminal, and its files, which nothing replaces unasked", async () => {
  const args = ["compare", "deep-fcn", "resnet18", ...common, "--out", "out"];
  const { status, stdout, output } = await guidance(args, { cwd });
  expect(status, output).toBe(0);
  expect(stdout).toContain("linear-cka (full) on 12 images of synthetic test\nrows: deep-fcn, columns: resnet18\n");
  expect(stdout).toMatch(/^Linear_0 [ .:=+*#%@-]{42}$/m);
  expect(stdout).toMatch(/^ +0\.00 {3}\.\.::--==\+\+\*\*##%%@@ 1\.00 {2}linear-cka$/m);
  const file = (name: string) => readFileSync(join(cwd, "out", name));
  const { matrix, rows, columns, ...facts } = JSON.parse(file("compare.json").toString());
  expect(facts).toMatchObject({ version: 1, similarity: "linear-cka", estimator: "full", samples: 12, seed: 0 });
  expect(facts).toMatchObject({ data: "synthetic test", models: ["deep-fcn", "resnet18"] });
  const csv = file("compare.csv")
    .toString()
    .trim()
    .split("\n")
    .map((line) => line.split(","));
  expect(csv[0]).toEqual(["", ...columns.map(({ name }: { name: string }) => name)]);
  expect(csv.slice(1)).toEqual(matrix.map((row: number[], i: number) => [rows[i].name, ...row.map(String)]));
  expect(file("compare.svg").toString()).toContain("<title>Linear_0, Conv2d_0: ");
  expect(file("compare.png").subarray(1, 4).toString()).toBe("PNG");

  const again = await guidance(args, { cwd });
  expect([again.status, again.stderr]).toEqual([
    1,
    expect.stringMatching(/^error: compare: there is a file "out.compare\.svg"/),
  ]);
  expect((await guidance([...args, "--force"], { cwd })).status).toBe(0);
});

test("a network with itself is 1 on the diagonal; another seed makes another network", async () => {
  const { matrix } = await compare("deep-fcn", "deep-fcn", ...common);
  expect(matrix.map((row, i) => row[i])).toEqual([1, 1, 1]);
  const other = await compare("deep-fcn@0", "deep-fcn@5", ...common);
  for (const [i, row] of other.matrix.entries()) expect(row[i]).toBeLessThan(0.999);
});

test("networks of a run on its own data, and the same weights from a file", async () => {
  const { rows, columns, samples } = await compare("run", "run:guide", "--device", "cpu");
  expect([rows.length, columns.length, samples]).toEqual([3, 21, 12]);
  expect((await guidance(["export", "run", "student.pth", "--checkpoint", "best"], { cwd })).status).toBe(0);
  const { matrix } = await compare("run:guided:best", "deep-fcn:student.pth", ...common);
  for (const [i, row] of matrix.entries()) expect(row[i]).toBeCloseTo(1, 6);
  const arms = await compare("run:guided:last", "run:unguided:last", "--device", "cpu", "--similarity", "procrustes");
  expect(arms.matrix[0][0]).toBeLessThan(0.9999);
});

test("in full, the size of a batch is of no account", async () => {
  const { matrix, samples } = await compare("deep-fcn", "resnet18", ...common, "--batch", "5");
  const { matrix: whole } = await compare("deep-fcn", "resnet18", ...common, "--batch", "12");
  expect(samples).toBe(12);
  for (const [i, value] of matrix.flat().entries()) expect(Math.abs(value - whole.flat()[i])).toBeLessThanOrEqual(1e-5);
});

test("over batches, and with a similarity of a plugin", async () => {
  const { matrix, samples } = await compare(
    ...["deep-fcn", "deep-fcn", ...common, "--estimator", "minibatch", "--batch", "5", "--split", "train"],
  );
  expect(samples).toBe(45);
  expect(matrix.map((row, i) => row[i])).toEqual([1, 1, 1]);
  const plugin = `import { similarities } from "@guidance/guidance"; similarities.register("none", (x, y) => x.sum().mul(0));`;
  writeFileSync(join(cwd, "plugin.mjs"), plugin);
  const none = await compare("deep-fcn", "deep-fcn", ...common, "--plugin", "plugin.mjs", "--similarity", "none");
  // a run's own plugins come with it
  const options = ["--plugin", "plugin.mjs", "--no-baseline", "--folder", "own"];
  expect((await guidance(["train", ...tiny, ...options], { cwd })).status).toBe(0);
  expect((await compare("own", "own", "--device", "cpu", "--similarity", "none")).matrix).toEqual(none.matrix);
  expect(none.matrix.flat().every((value) => value === 0)).toBe(true);
});

// packages/cli/src/program.test.ts has what the arguments alone show
test.concurrent.each([
  [["deep-fcn", "resnet18:none.pth"], /"none\.pth": it cannot be opened \(no such file or folder\)/],
  [
    ["run", "resnet18", "--dataset", "synthetic"],
    /"run" takes images \[1, 8, 8\] and "synthetic test" has \[1, 28, 28\]/,
  ],
  [["run:guided:top-7", "resnet18"], /top-7/],
])("%s is refused", async (args, message) => {
  expect(await refusal(...args)).toMatch(message);
});

describe.skipIf(!webgpu)("on WebGPU", () => {
  test("values are those of the CPU", async () => {
    const device = ["deep-fcn", "resnet18", ...sizes, "--similarity", "rbf-cka"];
    const { matrix } = await compare(...device);
    const { matrix: expected } = await compare(...device, "--device", "cpu");
    matrix.flat().forEach((value, i) => {
      expect(Math.abs(value - expected.flat()[i])).toBeLessThanOrEqual(1e-4);
    });
  });
});
