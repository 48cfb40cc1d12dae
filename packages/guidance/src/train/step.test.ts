/** What a training step computes in parts, with clipping and with smoothed targets, against the plain step. */
import { cpuBackend, Generator, nn, optim } from "@guidance/tensor";
import { expect, test } from "vitest";
import { compileTrainingStep, partOf } from "./step.ts";
import type { TrainingTask } from "./task.ts";

const batch = {
  images: Float32Array.from({ length: 8 * 4 }, (_, i) => Math.sin(i + 1)),
  labels: Int32Array.from({ length: 8 }, (_, i) => i % 3),
};

/** Weights after three steps in float64, and the losses. */
async function trained(options: Partial<TrainingTask> = {}) {
  await using backend = cpuBackend({ precision: "float64" });
  const generator = new Generator(3);
  const model = new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(4, 6, { generator }),
    new nn.ReLU(),
    new nn.Linear(6, 3, { generator }),
  ).named("student");
  const optimizer = new optim.SGD(model.parameters(), { learningRate: 0.5, momentum: 0.9 });
  const step = await compileTrainingStep(backend, { model, optimizer, imageShape: [1, 2, 2], ...options }, 8);
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) losses.push((await step.run(batch)).loss);
  const weights = [...(await model.stateDict()).values()].flatMap(({ data }) => [...(data as Float64Array)]);
  step.close();
  model.close();
  optimizer.close();
  expect(backend.liveBytes).toBe(0);
  return { losses, weights };
}

const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 12));

test.each([2, 4])("a batch in %i parts gives the step of the whole batch", async (parts) => {
  const whole = await trained();
  const inParts = await trained({ parts });
  expect(inParts.losses).toEqual(close(whole.losses));
  expect(inParts.weights).toEqual(close(whole.weights));
});

test("parts are cut from plain arrays as from typed ones", () => {
  const plain = { images: [...batch.images], labels: [...batch.labels] };
  for (const part of [0, 3]) {
    const { images, labels } = partOf(batch, part, 4);
    expect(partOf(plain, part, 4)).toEqual({ images: Array.from(images), labels: Array.from(labels) });
    expect(images).toHaveLength(8);
  }
});

test("parts are clipped together, by the norm of the whole batch", async () => {
  const plain = await trained();
  const whole = await trained({ clipNorm: 0.05 });
  const inParts = await trained({ clipNorm: 0.05, parts: 4 });
  expect(whole.weights).not.toEqual(close(plain.weights));
  expect(inParts.weights).toEqual(close(whole.weights));
  expect((await trained({ clipNorm: 1e6 })).weights).toEqual(close(plain.weights));
});

test("smoothed targets have another loss", async () => {
  const [plain, smooth] = [await trained(), await trained({ labelSmoothing: 0.2 })];
  expect(smooth.losses[0]).not.toBeCloseTo(plain.losses[0], 6);
});

/** Losses and weights of steps in mixed precision, of which a large scale makes the first ones overflow. */
async function mixed(scale: number, steps: number, options: Partial<TrainingTask> = {}) {
  await using backend = cpuBackend();
  const generator = new Generator(3);
  const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(4, 3, { generator })).named("student");
  nn.storeHalves(model);
  const optimizer = new optim.Adam(model.parameters(), { learningRate: 0.1 });
  const scaler = new optim.LossScaler({ scale });
  const task = { model, optimizer, scaler, imageShape: [1, 2, 2] as const, ...options };
  const step = await compileTrainingStep(backend, task, 8);
  const skipped: boolean[] = [];
  for (let i = 0; i < steps; i++) skipped.push((await step.run(batch)).skipped ?? false);
  const weights = [...(await model.stateDict()).values()].flatMap(({ data }) => [...(data as Float32Array)]);
  step.close();
  return { skipped, weights, scale: scaler.scale, stepCount: optimizer.stepCount };
}

test.each([1, 4])("in %i parts, a step whose scaled gradients overflow changes nothing, nor counts", async (parts) => {
  const sound = await mixed(1024, 2, { parts });
  expect(sound).toMatchObject({ skipped: [false, false], scale: 1024, stepCount: 2 });
  const late = await mixed(2 ** 21, 7, { parts });
  const many = late.skipped.filter((each) => each).length;
  expect(many).toBeGreaterThan(0);
  expect(late.skipped.slice(0, many)).not.toContain(false);
  expect(late).toMatchObject({ scale: 2 ** (21 - many), stepCount: 7 - many });
  // the scale is a power of two: it changes no bit of a gradient that neither overflows nor vanishes
  expect((await mixed(2 ** (21 - many), 7 - many, { parts })).weights).toEqual(late.weights);
});

test("the first part whose loss is not finite is named, and no later one is computed", async () => {
  await using backend = cpuBackend();
  const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(4, 3)).named("student");
  const optimizer = new optim.Adam(model.parameters(), { learningRate: 0.1 });
  const step = await compileTrainingStep(backend, { model, optimizer, imageShape: [1, 2, 2], parts: 4 }, 8);
  const images = batch.images.slice();
  images[2 * 4 * 1] = Number.NaN;
  expect((await step.run({ ...batch, images })).badPart).toBe(1);
  expect(optimizer.stepCount).toBe(0);
  step.close();
});
