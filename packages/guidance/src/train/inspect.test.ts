/** Inspections tell what is there, and leave a run as it is. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cpuBackend, Generator, nn, optim } from "@guidance/tensor";
import { expect, test } from "vitest";
import { metrics, runSmall, runsFolder, smallConfig, smallNotebookConfig } from "./experiment.test.support.ts";
import { compileInspection } from "./inspect.ts";

const runs = runsFolder();
const inspected = { inspectEvery: 2 };

const weights = (folder: string, arm: string): string =>
  JSON.parse(readFileSync(join(folder, arm, "last.json"), "utf8")).tensors.sha256;

test.each([
  [
    "with dropout and noise for the guide",
    { ...smallConfig, guide: { ...smallConfig.guide, input: "noise" as const } },
  ],
  ["of the notebook", smallNotebookConfig],
  ["in mixed precision", { ...smallConfig, precision: "mixed" as const }],
  ["in parts", { ...smallConfig, accumulate: 2 }],
])("a run %s ends with the same bits whether it is inspected or not", async (_name, config) => {
  const [plain, watched] = [runs.fresh(), runs.fresh()];
  const alone = { ...config, baseline: true };
  await runSmall({ config: alone, folder: plain, guideCache: runs.cache });
  await runSmall({ config: { ...alone, ...inspected }, folder: watched, guideCache: runs.cache });
  for (const arm of ["guided", "unguided"]) {
    expect(weights(watched, arm)).toBe(weights(plain, arm));
    const others = metrics(watched, arm).filter(({ kind }) => kind !== "inspection");
    expect(others).toEqual(metrics(plain, arm));
  }
});

test("the record names the layers, and has similarities of both arms", async () => {
  const folder = runs.fresh();
  await runSmall({ config: { ...smallConfig, ...inspected }, folder, guideCache: runs.cache });
  for (const arm of ["guided", "unguided"]) {
    const records = metrics(folder, arm);
    const found = records.filter(({ kind }) => kind === "inspection");
    expect(found.map(({ step }) => step)).toEqual([1, 2, 4, 6]);
    for (const { similarities, gradients } of found as {
      similarities: { similarity: number }[];
      gradients: unknown[];
    }[]) {
      expect(similarities.length).toBeGreaterThan(1);
      for (const { similarity } of similarities) expect(similarity).toBeGreaterThan(0);
      // Linear layers with a BatchNorm between each
      expect(gradients).toHaveLength(2 * smallConfig.student.layers - 1);
      expect(gradients).toContainEqual({ layer: expect.stringContaining("student."), norm: expect.any(Number) });
    }
    const steps = records.filter(({ kind }) => kind === "step") as { similarities: number[]; dissimilarity: number }[];
    const named = records.filter(({ kind }) => kind === "layers") as { layers: unknown[] }[];
    expect(named).toHaveLength(arm === "guided" ? 1 : 0);
    const layers = named[0]?.layers ?? [];
    for (const { similarities, dissimilarity } of steps) {
      expect(similarities).toHaveLength(layers.length);
      expect(similarities.reduce((sum, one) => sum + 1 - one, 0)).toBeCloseTo(dissimilarity, 3);
    }
  }
});

test("similarities are those of the paired layers after the step: those that the next step on the same batch sees", async () => {
  const folder = runs.fresh();
  // one batch is all there is, and without dropout or batches in another order a step repeats what was inspected
  const synthetic = { ...smallConfig.synthetic!, train: 16 };
  const student = { ...smallConfig.student, dropout: 0 };
  const config = {
    ...smallConfig,
    synthetic,
    student,
    steps: 3,
    inspectEvery: 1,
    guide: { ...smallConfig.guide, batchSize: 8 },
  };
  await runSmall({ config, folder, guideCache: runs.cache });
  const records = metrics(folder, "guided") as {
    kind: string;
    step: number;
    similarities: never[];
    layers: unknown[];
  }[];
  const at = (kind: string, step: number) => records.find((record) => record.kind === kind && record.step === step)!;
  const [{ layers }] = records.filter(({ kind }) => kind === "layers");
  for (const step of [1, 2]) {
    const inspected = at("inspection", step).similarities as { similarity: number; student: string; guide: string }[];
    expect(inspected.map(({ student, guide }) => ({ student, guide }))).toEqual(layers);
    const next = at("step", step + 1).similarities as number[];
    expect(inspected.map(({ similarity }) => similarity)).toEqual(next.map((value) => expect.closeTo(value, 3)));
    expect(inspected.map(({ similarity }) => similarity)).not.toEqual(
      (at("step", step).similarities as number[]).map((value) => expect.closeTo(value, 4)),
    );
  }
});

test("the inspection of a short batch is made after the next whole one", async () => {
  const folder = runs.fresh();
  // 40 images in batches of 16: every third step is short
  const config = { ...smallConfig, lastBatch: "keep" as const, steps: 8, inspectEvery: 3, baseline: false };
  await runSmall({ config, folder, guideCache: runs.cache });
  const found = metrics(folder, "guided").filter(({ kind }) => kind === "inspection");
  expect(found.map(({ step }) => step)).toEqual([1, 4, 7]);
});

test("the norm of a layer is that of all its gradients, whatever the loss is scaled by", async () => {
  await using backend = cpuBackend({ precision: "float64" });
  // of one weight 2 and one bias: the gradients of crossEntropy at equal logits are known
  const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(2, 2, { generator: new Generator(1) })).named(
    "student",
  );
  model.loadStateDict(
    new Map([
      ["1.weight", { dtype: "F64", shape: [2, 2], data: new Float64Array(4) }],
      ["1.bias", { dtype: "F64", shape: [2], data: new Float64Array(2) }],
    ]),
  );
  const optimizer = new optim.Adam(model.parameters(), { learningRate: 1 });
  const scaler = new optim.LossScaler({ scale: 64 });
  const task = { model, optimizer, scaler, imageShape: [1, 1, 2] as const };
  const inspector = await compileInspection(backend, task, 1, []);
  const { gradients, similarities } = await inspector.run({ images: [3, 4], labels: [0] });
  // d/dlogits = (-1/2, 1/2): weights get it times (3, 4), biases as it is
  expect(gradients).toEqual([{ layer: "student.1", norm: expect.closeTo(Math.sqrt(0.5 * 25 + 0.5), 12) }]);
  expect(similarities).toEqual([]);
  expect(optimizer.stepCount).toBe(0);
  inspector.close();
});
