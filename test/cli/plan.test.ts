// What a configuration takes, told without running it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { guidance, scratch, tiny } from "./command.ts";

const fresh = scratch();

test("summary prints both networks, layer by layer", async () => {
  const { status, stdout } = await guidance(["summary", ...tiny.slice(2)], { cwd: fresh() });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^student deep-fcn on \[\d+, 1, 8, 8\]$/m);
  expect(stdout).toMatch(/^initial_layer\.0 +Linear +\[\d+, \d+\] +[\d,]+ +[\d.]+ [kM]?FLOP$/m);
  expect(stdout).toMatch(/^layer1\.0\.conv1 +Conv2d +\[\d+, \d+, \d+, \d+\]/m);
  expect(stdout).toMatch(/^[\d,]+ parameters \([\d.]+ kB\), [\d,]+ other values, [\d.]+ [kM]FLOP a forward pass$/m);
});

test("summary --json is JSON whose layers add up", async () => {
  const args = ["summary", ...tiny.slice(2), "--network", "guide", "--json"];
  const { networks } = JSON.parse((await guidance(args, { cwd: fresh() })).stdout);
  expect(networks).toHaveLength(1);
  const [{ layers, parameters }] = networks as { layers: { parameters: number }[]; parameters: number }[];
  expect(layers.reduce((sum, layer) => sum + layer.parameters, 0)).toBe(parameters);
});

test("summary and plan tell what is made up for in the data, as train does", async () => {
  const data = fileURLToPath(new URL("../fixtures/photographs/folder", import.meta.url));
  const networks = tiny.slice(tiny.indexOf("--layers"));
  for (const command of ["summary", "plan --device cpu"]) {
    const args = `${command} --image-size 16 --batch 4 --data ${data} --json`.split(" ");
    const { status, stdout, stderr } = await guidance([...args, ...networks, "--guide-batch", "4"], { cwd: fresh() });
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('note: "folder" has no test split with labels: the validation split serves as both\n');
    expect(JSON.parse(stdout)).toBeTypeOf("object");
  }
});

test("plan says what fits a budget, and writes nothing", async () => {
  const cwd = fresh();
  const args = ["plan", ...tiny, "--budget", "0.01"];
  const { status, stdout } = await guidance(args, { cwd });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^guided step +\d+ +[\d.]+ [kM]FLOP/m);
  expect(stdout).toMatch(/^guided training +[\d.]+ kB$/m);
  const [, largest] =
    stdout.match(/fits the budget of 10\.0 MB; the largest batch whose guided step fits is (\d+)/) ?? [];
  expect(existsSync(join(cwd, "runs"))).toBe(false);
  // one more does not fit: a run with it is refused with the same budget
  const refused = await guidance(
    ["train", ...tiny, "--synthetic-train", "100000", "--budget", "0.01", "--batch", String(Number(largest) + 1)],
    { cwd },
  );
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("the budget");
});
