// The notebook's networks at their full widths, on images of a few lines: the first weight exceeds what one binding may
// cover here, as the full one does on every device, and is processed through windows. Fewer middle layers than the
// notebook's, since 47 batch norms over a batch of 4 turn the last bit into the first digits of a loss.

import {
  buildGuide,
  buildStudent,
  checkConfig,
  compileTrainingStep,
  loadExperimentData,
  notebookConfig,
  setGuideMode,
  studentTask,
} from "@guidance/guidance";
import { openBackend } from "@guidance/shaders";
import { type Backend, cpuBackend } from "@guidance/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { openTier } from "./support/tiers.ts";

const WINDOW = 8 * 2 ** 20;
const backend = await openTier(
  "webgpu",
  () => openBackend({ maxBindingBytes: WINDOW }),
  ({ name }) => name,
);
afterAll(() => backend?.close());

const config = checkConfig({
  ...notebookConfig,
  batchSize: 4,
  synthetic: { channels: 3, height: 8, width: 224, classes: 256, train: 4, validation: 4, test: 4 },
  student: { ...notebookConfig.student, layers: 4 },
});

/** Losses of two steps on one batch, and the part of the plan that went through windows. */
async function train(backend: Backend) {
  const splits = await loadExperimentData(config);
  const { model: guide } = buildGuide(config, splits);
  setGuideMode(guide, config);
  const { model } = buildStudent(config, splits);
  const task = studentTask(config, splits, model, guide);
  const step = await compileTrainingStep(backend, task, config.batchSize);
  const losses: number[] = [];
  for await (const batch of splits.train.batches({ batchSize: 4, lastBatch: "drop", shuffle: false }))
    for (let i = 0; i < 2; i++) losses.push((await step.run(batch)).loss);
  const windowed = step.plan.calls.filter(({ dispatches }) => dispatches > 2).length;
  step.close();
  task.optimizer.close();
  model.close();
  guide.close();
  return { losses, windowed };
}

describe.skipIf(!backend)("the notebook's step through windows of 8 MiB", () => {
  it("has the losses of the CPU backend, and gives all memory back", async () => {
    if (!backend) return;
    const [device, reference] = [await train(backend), await train(cpuBackend())];
    // the first product of both forwards, and the update with its gradient
    expect(device.windowed).toBeGreaterThanOrEqual(3);
    expect(device.losses[1]).not.toBeCloseTo(device.losses[0], 2);
    device.losses.forEach((loss, i) => {
      expect(Math.abs(loss - reference.losses[i]) / reference.losses[i]).toBeLessThan(1e-4);
    });
    expect(backend.liveBytes).toBe(0);
  });
});
