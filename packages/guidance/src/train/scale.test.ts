/** The options of long trainings, all together: what they do to a run, and that it can be stopped and resumed with them. */
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpuBackend } from "@guidance/tensor";
import { expect, test } from "vitest";
import { loadExperimentData } from "./check.ts";
import { checkConfig, type TrainConfig } from "./config.ts";
import { InterruptedError } from "./errors.ts";
import { metrics, runSmall, runsFolder, smallConfig } from "./experiment.test.support.ts";
import { peakOf, planExperiment } from "./plan.ts";
import { scoreCheckpoint } from "./score.ts";

const runs = runsFolder();

const config: TrainConfig = checkConfig({
  ...smallConfig,
  schedule: "cosine",
  warmupSteps: 2,
  weightDecay: 0.05,
  clipNorm: 1,
  accumulate: 2,
  labelSmoothing: 0.1,
  baseline: false,
  validateEvery: 1,
  keepTop: 2,
  guide: { ...smallConfig.guide, input: "noise", disconnectAfter: 3 },
});

test("the guide is disconnected, and the rate rises and falls", async () => {
  const folder = runs.fresh();
  const messages: string[] = [];
  const observer = { message: (text: string) => messages.push(text) };
  await runSmall({ config, folder, guideCache: runs.cache, observer });
  const steps = metrics(folder, "guided").filter(({ kind }) => kind === "step");
  expect(steps.map(({ pairs }) => Number(pairs) > 0)).toEqual([true, true, true, false, false, false]);
  expect(steps.slice(3).map(({ dissimilarity }) => dissimilarity)).toEqual([0, 0, 0]);
  const cosine = (step: number) => (config.learningRate * (1 + Math.cos((Math.PI * step) / 6))) / 2;
  expect(steps.map(({ learningRate }) => learningRate)).toEqual(
    [cosine(0) / 2, ...[1, 2, 3, 4, 5].map(cosine)].map((rate) => expect.closeTo(rate, 12)),
  );
  expect(messages).toContain("guided: goes on without guide after step 3");
});

test.each([
  [1, "float32"],
  [3, "float32"],
  [4, "float32"],
  [3, "mixed"],
] as const)("stopped after step %i and resumed in %s, a run ends with the same bits", async (step, precision) => {
  const whole = runs.fresh();
  const options = { config: { ...config, precision }, guideCache: runs.cache };
  await runSmall({ ...options, folder: whole });
  const parts = runs.fresh();
  const controller = new AbortController();
  const observer = {
    step: (event: { arm: string; step: number }) => {
      if (event.arm === "guided" && event.step === step) controller.abort();
    },
  };
  const stopped = runSmall({ ...options, folder: parts, observer, signal: controller.signal });
  await expect(stopped).rejects.toThrow(InterruptedError);
  await runSmall({ ...options, folder: parts, resume: true });
  const weights = (folder: string) => {
    const { tensors } = JSON.parse(readFileSync(join(folder, "guided", "last.json"), "utf8"));
    return tensors.sha256;
  };
  expect(weights(parts)).toBe(weights(whole));
  expect(metrics(parts, "guided")).toEqual(metrics(whole, "guided"));
  expect(topFiles(parts)).toEqual(topFiles(whole));
});

const topFiles = (folder: string) => readdirSync(join(folder, "guided")).filter((name) => name.startsWith("top-"));

test("the best checkpoints by validation loss are kept, and can be scored", async () => {
  const folder = runs.fresh();
  const result = await runSmall({ config, folder, guideCache: runs.cache });
  const losses = metrics(folder, "guided").flatMap(({ kind, step, loss }) =>
    kind === "validation" ? [{ step: Number(step), loss: Number(loss) }] : [],
  );
  expect(losses).toHaveLength(6);
  const best = losses.sort((a, b) => a.loss - b.loss).slice(0, 2);
  const files = topFiles(folder);
  expect(new Set(files.filter((name) => name.endsWith(".json")))).toEqual(
    new Set(best.map(({ step }) => `top-${step}.json`)),
  );
  expect(files).toHaveLength(4);
  const splits = await loadExperimentData(config);
  const common = { backend: cpuBackend(), config, splits, folder, arm: "guided", split: "test" } as const;
  const scores = await scoreCheckpoint({ ...common, checkpoint: `top-${best[0].step}` });
  expect(scores).toEqual({ ...result.arms[0].testAtBest, step: best[0].step });
});

test("a checkpoint that cannot be written ends the run with one error; the one before stands", async () => {
  const folder = runs.fresh();
  const guided = join(folder, "guided");
  const observer = {
    validation: ({ step }: { step: number }) => {
      if (step !== 3) return;
      renameSync(guided, join(folder, "moved"));
      writeFileSync(guided, "in the way");
    },
  };
  await expect(runSmall({ config, folder, guideCache: runs.cache, observer })).rejects.toThrow(
    /^training guided, step 3: cannot save in ".*guided" \(.*\); the checkpoint of step 2 in ".*guided" stands\. Make room/,
  );
  expect(JSON.parse(readFileSync(join(folder, "moved", "last.json"), "utf8")).state.step).toBe(2);
});

test("the planned peak is enough, and less than that of a batch in one part", async () => {
  const splits = await loadExperimentData(config);
  const peak = async (accumulate: number) => {
    const options = { backend: cpuBackend(), config: { ...config, accumulate }, splits, guideCache: runs.cache };
    return peakOf(await planExperiment({ ...options, plugins: undefined }));
  };
  const needed = await peak(4);
  expect(needed).toBeLessThan(await peak(1));
  const backend = cpuBackend({ budgetBytes: needed });
  await runSmall({ backend, config: { ...config, accumulate: 4 }, folder: runs.fresh(), guideCache: runs.cache });
});

test("parts that do not divide a batch are refused", async () => {
  await expect(loadExperimentData({ ...config, accumulate: 3 })).rejects.toThrow(
    /a batch of 16 images cannot be computed in 3 equal parts/,
  );
  await expect(loadExperimentData({ ...config, accumulate: 16 })).rejects.toThrow(/at least 2/);
  // 40 training images leave a batch of 8
  const kept = { ...config, lastBatch: "keep", accumulate: 8 } as const;
  await expect(loadExperimentData(kept)).rejects.toThrow(/a batch of 8 images .* Drop the short last batch/s);
});

test("the guide's own training is the same under any schedule of the student's", async () => {
  const guideOf = async (change: Partial<TrainConfig>) => {
    const guideCache = runs.fresh();
    await runSmall({
      config: { ...smallConfig, steps: 1, baseline: false, ...change },
      folder: runs.fresh(),
      guideCache,
    });
    const [file] = readdirSync(guideCache);
    return { file, bytes: readFileSync(join(guideCache, file)) };
  };
  const plain = await guideOf({});
  expect(await guideOf({ schedule: "cosine", warmupSteps: 2, decayEvery: 1, accumulate: 2, clipNorm: 0.1 })).toEqual(
    plain,
  );
});
