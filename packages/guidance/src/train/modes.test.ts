/** Scoring and guiding leave layers in the modes they were given. */
import { cpuBackend, nn } from "@guidance/tensor";
import { expect, test } from "vitest";
import { loadDataset } from "../data/registry.ts";
import { setGuideMode } from "./build.ts";
import { smallConfig } from "./experiment.test.support.ts";
import { inEvaluation } from "./modes.ts";
import { scoreModel } from "./score.ts";

/** A network with one layer frozen by its author. */
function halfFrozen() {
  const frozen = new nn.BatchNorm1d(16);
  const model = new nn.Sequential(new nn.Flatten(), frozen, new nn.Dropout(), new nn.Linear(16, 10));
  frozen.eval();
  const modes = () => model.namedModules().map(([, { training }]) => training);
  return { model, modes };
}

test("a frozen layer stays frozen after scoring, and the others go on training", async () => {
  const { model, modes } = halfFrozen();
  const before = modes();
  expect(before).toEqual([true, true, false, true, true]);
  await using backend = cpuBackend();
  const synthetic = { channels: 1, height: 4, width: 4, classes: 10, train: 4, validation: 4, test: 4 };
  await scoreModel(backend, model, await loadDataset("synthetic", { synthetic }));
  expect(modes()).toEqual(before);
});

test("modes come back after an error too", async () => {
  const { model, modes } = halfFrozen();
  const before = modes();
  const failing = inEvaluation(model, async () => {
    expect(modes()).not.toContain(true);
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(modes()).toEqual(before);
});

test("a guide in training mode keeps its frozen layers, one in evaluation mode is all frozen", () => {
  const { model, modes } = halfFrozen();
  setGuideMode(model, smallConfig);
  expect(modes()).toEqual([true, true, false, true, true]);
  setGuideMode(model, { ...smallConfig, guide: { ...smallConfig.guide, mode: "eval" } });
  expect(modes()).not.toContain(true);
});
