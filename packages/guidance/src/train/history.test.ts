import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runSmall, runsFolder, smallConfig } from "./experiment.test.support.ts";
import { listRuns, readHistory } from "./history.ts";

const runs = runsFolder();

test("a run's folder tells its networks, their layers, steps, validations, inspections and scores", async () => {
  const folder = runs.fresh();
  const config = { ...smallConfig, inspectEvery: 3 };
  const summary = await runSmall({ config, folder, guideCache: runs.cache });
  const history = await readHistory(folder);
  expect(history.arms.map(({ arm, steps }) => [arm, steps.map(({ step }) => step)])).toEqual([
    ["guide", [1, 2]],
    ["guided", [1, 2, 3, 4, 5, 6]],
    ["unguided", [1, 2, 3, 4, 5, 6]],
  ]);
  const [, guided] = history.arms;
  expect(guided.layers.length).toBe(guided.steps[0].similarities.length);
  expect(guided.validations.map(({ step }) => step)).toEqual([2, 4, 6]);
  expect(guided.inspections.map(({ step }) => step)).toEqual([1, 3, 6]);
  expect(history.summary).toEqual(summary);
});

test("an unfinished run has what it has, and a damaged line is named", async () => {
  const folder = runs.fresh();
  await runSmall({ config: smallConfig, folder, guideCache: runs.cache });
  rmSync(join(folder, "summary.json"));
  rmSync(join(folder, "unguided"), { recursive: true });
  const metrics = join(folder, "guided", "metrics.jsonl");
  appendFileSync(metrics, '{"kind":"st');
  const history = await readHistory(folder);
  expect(history.summary).toBeUndefined();
  expect(history.arms.map(({ arm }) => arm)).toEqual(["guided"]);
  appendFileSync(metrics, "\n");
  await expect(readHistory(folder)).rejects.toThrow(/line \d+ of ".*metrics\.jsonl" is damaged/);
});

test("runs are the folders with a configuration, the newest first", async () => {
  const root = runs.fresh();
  for (const name of ["20260101-a", "20260102-b", "guides"]) mkdirSync(join(root, name));
  for (const name of ["20260101-a", "20260102-b"]) writeFileSync(join(root, name, "config.json"), "{}");
  expect(await listRuns(root)).toEqual(["20260102-b", "20260101-a"]);
});
