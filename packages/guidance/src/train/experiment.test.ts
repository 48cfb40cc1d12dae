/** The whole experiment on the CPU: what it leaves behind, that it can be stopped anywhere, and the notebook's ways. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cpuBackend, type Generator, nn, type Operand, type Tensor } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import { guides, students } from "../models/registry.ts";
import { readCheckpoint } from "../run/checkpoint.test.support.ts";
import { loadExperimentData } from "./check.ts";
import type { TrainConfig } from "./config.ts";
import { InterruptedError } from "./errors.ts";
import { metrics, runSmall, runsFolder, smallConfig, smallNotebookConfig } from "./experiment.test.support.ts";
import type { Observer, StepEvent } from "./observer.ts";
import { scoreCheckpoint } from "./score.ts";

const runs = runsFolder();

const weights = (folder: string, arm: string, name = "last"): Buffer => {
  const { tensors } = JSON.parse(readFileSync(join(folder, arm, `${name}.json`), "utf8"));
  return readFileSync(join(folder, arm, tensors.file));
};

/** Stops the run after one step of one network. */
function stopAfter(arm: string, step: number): { signal: AbortSignal; observer: Observer } {
  const controller = new AbortController();
  const observer: Observer = {
    step: (event) => {
      if (event.arm === arm && event.step === step) controller.abort();
    },
  };
  return { signal: controller.signal, observer };
}

async function runWhole(config: TrainConfig) {
  const folder = runs.fresh();
  const result = await runSmall({ config, folder, guideCache: runs.cache });
  return { folder, result };
}

/** A guide with dropout, which draws random numbers in every step of the student too. */
class Noisy extends nn.Module {
  readonly layers: nn.Sequential;
  constructor(inputs: number, classes: number, generator: Generator) {
    super();
    const options = { generator };
    this.layers = new nn.Sequential(
      new nn.Linear(inputs, 8, options),
      new nn.Dropout(0.2, options),
      new nn.Linear(8, 8, options),
      new nn.Linear(8, classes, options),
    );
  }
  forward(x: Operand): Tensor {
    return this.layers.call(x.flatten());
  }
}
guides.register("noisy", ({ channels, height, width, classes, generator }) => {
  return new Noisy(channels * height * width, classes, generator);
});

describe.each([
  ["default, and a guide with dropout", { ...smallConfig, guide: { ...smallConfig.guide, name: "noisy" } }],
  ["notebook", { ...smallNotebookConfig, guide: { ...smallNotebookConfig.guide, steps: 3, batchSize: 8 } }],
] as const)("%s", (_name, config) => {
  test("stopped in every part and resumed, a run ends with the same bits", async () => {
    const whole = await runWhole(config);
    const parts = runs.fresh();
    const guideCache = join(parts, "guides");
    const arms = ["guide", "guided", ...(config.baseline ? ["unguided"] : [])];
    for (const arm of arms) {
      const stopped = runSmall({ config, folder: parts, guideCache, resume: true, ...stopAfter(arm, 1) });
      await expect(stopped).rejects.toThrow(InterruptedError);
      await expect(stopped).rejects.toThrow(`training ${arm}: stopped after step 1 of`);
    }
    const result = await runSmall({ config, folder: parts, guideCache, resume: true });
    for (const arm of arms) {
      expect(weights(parts, arm).equals(weights(whole.folder, arm)), `last weights of ${arm}`).toBe(true);
      expect(metrics(parts, arm)).toEqual(metrics(whole.folder, arm));
    }
    const timeless = ({ arms, guide: { origin: _origin, ...guide } }: typeof result) => ({
      arms: arms.map(({ secondsPerStep: _seconds, ...arm }) => arm),
      guide,
    });
    expect(timeless(result)).toEqual(timeless(whole.result));
  });
});

test("the same seed gives the same bits, another seed others; a cached guide is the one that was trained", async () => {
  const first = await runWhole({ ...smallConfig, seed: 5 });
  const second = await runWhole({ ...smallConfig, seed: 5 });
  const other = await runWhole({ ...smallConfig, seed: 6 });
  expect([first, second, other].map(({ result }) => result.guide.origin)).toEqual(["trained", "cached", "trained"]);
  for (const arm of ["guided", "unguided"]) {
    expect(weights(second.folder, arm).equals(weights(first.folder, arm))).toBe(true);
    expect(weights(other.folder, arm).equals(weights(first.folder, arm))).toBe(false);
  }
  expect(readdirSync(runs.cache)).toEqual(
    readdirSync(runs.cache).filter((name) => /^[\da-f]{16}\.safetensors$/.test(name)),
  );
});

test("both arms begin with the same weights and see the same batches", async () => {
  // without weight of the similarity the guided arm is the unguided one
  const { folder } = await runWhole({ ...smallConfig, alpha: 0 });
  const entropies = (arm: string) =>
    metrics(folder, arm).flatMap(({ kind, crossEntropy }) => (kind === "layers" ? [] : [crossEntropy]));
  expect(entropies("guided")).toEqual(entropies("unguided"));
});

/** A user's student that knows nothing of generators. */
class Plain extends nn.Module {
  readonly layers: nn.Sequential;
  constructor(inputs: number, classes: number) {
    super();
    const inner = new nn.Sequential(new nn.Linear(inputs, 8), new nn.Dropout(0.5));
    this.layers = new nn.Sequential(inner, new nn.Linear(8, 8), new nn.Linear(8, classes));
  }
  forward(x: Operand): Tensor {
    return this.layers.call(x.flatten());
  }
}
students.register("plain", ({ channels, height, width, classes }) => new Plain(channels * height * width, classes));

test("a student without a generator follows from the seed, in both arms and when resumed", async () => {
  const config = { ...smallConfig, alpha: 0, student: { ...smallConfig.student, name: "plain" } };
  const whole = await runWhole(config);
  const again = await runWhole(config);
  const other = await runWhole({ ...config, seed: 1 });
  expect(weights(whole.folder, "unguided").equals(weights(whole.folder, "guided"))).toBe(true);
  expect(weights(again.folder, "guided").equals(weights(whole.folder, "guided"))).toBe(true);
  expect(weights(other.folder, "guided").equals(weights(whole.folder, "guided"))).toBe(false);

  const folder = runs.fresh();
  const common = { config, folder, guideCache: runs.cache };
  await expect(runSmall({ ...common, ...stopAfter("guided", 3) })).rejects.toThrow(InterruptedError);
  await runSmall({ ...common, resume: true });
  expect(weights(folder, "guided").equals(weights(whole.folder, "guided"))).toBe(true);
});

test("checkpoints are scored as the run scored them", async () => {
  const { folder, result } = await runWhole(smallConfig);
  await using backend = cpuBackend();
  const splits = await loadExperimentData(smallConfig);
  for (const { arm, test: last, testAtBest, bestStep } of result.arms) {
    const common = { backend, config: smallConfig, splits, folder, arm, split: "test" } as const;
    expect(await scoreCheckpoint({ ...common, checkpoint: "last" })).toEqual({ ...last, step: 6 });
    expect(await scoreCheckpoint({ ...common, checkpoint: "best" })).toEqual({ ...testAtBest, step: bestStep });
  }
  const config = { ...smallConfig, student: { ...smallConfig.student, layers: 5, width: 7 } };
  const misfit = scoreCheckpoint({ backend, config, splits, folder, arm: "guided", checkpoint: "last", split: "test" });
  await expect(misfit).rejects.toThrow(
    /missing: intermediate_layers\.2\.0\.weight.*different: intermediate_layers\.0\.0/,
  );
});

test("the notebook preset: random guide, a short last batch, two forwards, decay, validation first", async () => {
  const steps: StepEvent[] = [];
  const folder = runs.fresh();
  const observer: Observer = { step: (event) => void steps.push(event) };
  const config = smallNotebookConfig;
  const result = await runSmall({ config, folder, guideCache: runs.cache, observer });
  expect(result.guide.origin).toBe("random");
  expect(result.arms.map(({ arm }) => arm)).toEqual(["guided"]);
  // 40 images in batches of 16: two whole ones and one of 8
  expect(steps.map(({ step, epoch }) => [step, epoch])).toEqual(
    Array.from({ length: 9 }, (_, i) => [i + 1, Math.floor(i / 3)]),
  );
  expect(steps.map(({ learningRate }) => learningRate)).toEqual(
    [0, 1, 2].flatMap((epoch) => Array(3).fill(1e-4 * 0.1 ** epoch)),
  );
  const validated = metrics(folder, "guided").filter(({ kind }) => kind === "validation");
  expect(validated.map(({ step }) => step)).toEqual([0, 3, 6, 9]);
  // two student forwards move the running statistics twice a step
  const { tensors } = await readCheckpoint(join(folder, "guided"), "last");
  expect(tensors.get("initial_layer.1.num_batches_tracked")?.data).toEqual(BigInt64Array.of(18n));
});

test("a resumed run keeps its guide, and says so where it cannot", async () => {
  const folder = runs.fresh();
  const guideCache = join(folder, "guides");
  const stopped = runSmall({ config: smallConfig, folder, guideCache, ...stopAfter("guided", 1) });
  await expect(stopped).rejects.toThrow(InterruptedError);
  const wide = () => cpuBackend({ precision: "float64" });
  const { guide } = await runSmall({ config: smallConfig, folder, guideCache, resume: true, backend: wide() });
  expect(guide.origin).toBe("cached");
  const resumed = runSmall({ config: smallConfig, folder, guideCache: runs.fresh(), resume: true, backend: wide() });
  await expect(resumed).rejects.toThrow(/the guide this run began with, ".*", is not there.*Use the device/);
});
