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

test("plan writes nothing, and its largest batch is the largest that train takes", async () => {
  const cwd = fresh();
  const budget = ["--budget", "0.002", "--guide-steps", "0", "--synthetic-train", "1000", "--inspect-every", "2"];
  const largest = async (...args: string[]): Promise<number> => {
    const { status, stdout } = await guidance(["plan", ...tiny, ...budget, ...args], { cwd });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^guided step(, a part of the batch)? +\d+ +[\d.]+ [kM]FLOP/m);
    expect(stdout).toMatch(/^guided training +[\d.]+ kB$/m);
    return Number(
      stdout.match(/fits the budget of 2\.0 MB; the largest batch that fits is (\d+) \([12]\.\d MB\)$/m)?.[1],
    );
  };
  const refusal = async (batch: number, ...args: string[]): Promise<string> => {
    const run = ["train", ...tiny, ...budget, ...args, "--batch", String(batch), "--steps", "1"];
    const { status, stderr } = await guidance(run, { cwd });
    expect(status, stderr).toBe(stderr === "" ? 0 : 1);
    return stderr;
  };
  const tooMuch = /^error: memory: the guided training needs 2\.0 MB and the budget of cpu float32 is 2\.0 MB\./;
  const batch = await largest();
  const parts = await largest("--accumulate", "4");
  const kept = await largest("--last-batch", "keep");
  expect(existsSync(join(cwd, "runs"))).toBe(false);
  expect(await refusal(batch)).toBe("");
  expect(await refusal(batch + 1)).toMatch(tooMuch);
  expect(parts % 4).toBe(0);
  expect(await refusal(parts, "--accumulate", "4")).toBe("");
  expect(await refusal(parts + 4, "--accumulate", "4")).toMatch(tooMuch);
  // a kept last batch takes memory beside the others
  expect(kept).toBeLessThan(batch);
  expect(await refusal(kept, "--last-batch", "keep")).toBe("");
});

test("no batch fits where the guide's own training does not", async () => {
  const { stdout } = await guidance(["plan", ...tiny, "--budget", "0.0001"], { cwd: fresh() });
  expect(stdout).toMatch(/does not fit the budget of 100\.0 kB; no batch fits$/m);
});
