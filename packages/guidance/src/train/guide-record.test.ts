/** Guides whose weights come from a file: nothing is trained, and a run that goes on has the same file. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cpuBackend } from "@guidance/tensor";
import { expect, test } from "vitest";
import { hashFile } from "../run/chunks.ts";
import { saveWeights } from "../weights/save.ts";
import { buildGuide } from "./build.ts";
import { loadExperimentData } from "./check.ts";
import { checkConfig } from "./config.ts";
import { runSmall, runsFolder, smallConfig } from "./experiment.test.support.ts";
import { trainsGuide } from "./guide.ts";
import { planExperiment } from "./plan.ts";

const runs = runsFolder();
const splits = await loadExperimentData(smallConfig);

/** The small experiment with a guide of the weights of `seed`, written to `path`. */
async function fromFile(path: string, seed: number, steps = smallConfig.guide.steps) {
  await saveWeights(path, await buildGuide({ ...smallConfig, seed }, splits).model.stateDict());
  return checkConfig({ ...smallConfig, baseline: false, guide: { ...smallConfig.guide, weights: path, steps } });
}

test("the guide has the weights of the file, whatever its steps, and its hash is kept", async () => {
  const path = join(runs.fresh(), "guide.pth");
  const folder = runs.fresh();
  const config = await fromFile(path, smallConfig.seed);
  const { guide, arms } = await runSmall({ config, folder, guideCache: runs.cache, splits });
  expect(guide.origin).toBe("file");
  expect(JSON.parse(readFileSync(join(folder, "guide.json"), "utf8"))).toMatchObject({
    weights: path,
    sha256: await hashFile(path),
  });
  // these weights are those that a random guide of this seed has
  const random = checkConfig({ ...config, guide: { ...config.guide, weights: null, steps: 0 } });
  const other = await runSmall({ config: random, folder: runs.fresh(), guideCache: runs.cache, splits });
  expect(arms[0].test).toEqual(other.arms[0].test);
});

test("it is not trained, and the plan knows", async () => {
  const config = await fromFile(join(runs.fresh(), "guide.safetensors"), 1);
  const backend = cpuBackend();
  const options = { backend, config, splits, guideCache: runs.fresh() };
  expect(await trainsGuide(options)).toBe(false);
  expect((await planExperiment(options)).parts.map(({ name }) => name)).not.toContain("training of the guide");
  await backend.close();
});

test("a run goes on with the same file alone", async () => {
  const path = join(runs.fresh(), "guide.pth");
  const options = { folder: runs.fresh(), guideCache: runs.cache, splits, resume: true };
  const config = await fromFile(path, 1);
  await runSmall({ ...options, config });
  await runSmall({ ...options, config });
  await fromFile(path, 2);
  await expect(runSmall({ ...options, config })).rejects.toThrow(/resume: ".*guide\.pth" has sha256 .* began with/);
});

test("weights of another network are refused by name", async () => {
  const config = await fromFile(join(runs.fresh(), "guide.pth"), 1);
  const wider = { ...config, guide: { ...config.guide, baseWidth: 3 } };
  const message = /guide\.pth": its tensors do not fit .* conv1\.weight is F32 \[2, 1, 7, 7\]/;
  const failed = runSmall({ config: wider, folder: runs.fresh(), guideCache: runs.cache, splits });
  await expect(failed).rejects.toThrow(message);
  // and before a run has a folder
  const backend = cpuBackend();
  const planned = planExperiment({ backend, config: wider, splits, guideCache: runs.cache });
  await expect(planned).rejects.toThrow(message);
  await backend.close();
});
