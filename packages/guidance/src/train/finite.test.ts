/** Numbers that are not finite end a run with a diagnosis, and never replace a checkpoint. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { nn, type Operand, type Tensor } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import { students } from "../models/registry.ts";
import { readCheckpoint } from "../run/checkpoint.test.support.ts";
import { metrics, runSmall, runsFolder, smallConfig } from "./experiment.test.support.ts";

const runs = runsFolder();

/** A student whose loss is finite and whose gradient is not: the root of a zero. */
class Root extends nn.Module {
  readonly first: nn.Linear;
  readonly second: nn.Linear;
  readonly third: nn.Linear;
  constructor(inputs: number, classes: number) {
    super();
    this.first = new nn.Linear(inputs, 6);
    this.second = new nn.Linear(6, 6);
    this.third = new nn.Linear(6, classes);
  }
  forward(x: Operand): Tensor {
    const inner = this.second.call(this.first.call(x.flatten()));
    return this.third.call(inner.add(inner.sub(inner).abs().sqrt()));
  }
}
students.register("root", ({ channels, height, width, classes }) => new Root(channels * height * width, classes));

describe("a gradient that is not finite, of a loss that is", () => {
  const student = { ...smallConfig.student, name: "root" };
  const message = (step: number) =>
    new RegExp(`training guided, step ${step}: .*first\\.weight, first\\.bias.*sqrt or a power at 0`);

  test("ends the run before its weights are validated or saved", async () => {
    const folder = runs.fresh();
    const config = { ...smallConfig, student, validateEvery: 1 };
    await expect(runSmall({ config, folder, guideCache: runs.cache })).rejects.toThrow(message(1));
    expect(readdirSync(join(folder, "guided"))).toEqual(["metrics.jsonl"]);
    expect(metrics(folder, "guided").map(({ kind }) => kind)).toEqual(["layers", "step"]);
  });

  test("is named by the loss of the next step too, and a checkpoint before it stands", async () => {
    const folder = runs.fresh();
    const config = { ...smallConfig, student, validateBeforeTraining: true };
    await expect(runSmall({ config, folder, guideCache: runs.cache })).rejects.toThrow(
      /step 2: the loss is NaN; .*before this step these were not finite already: .*first\.weight.*checkpoint of step 0 in/,
    );
    expect((await readCheckpoint(join(folder, "guided"), "last")).state).toMatchObject({ step: 0, best: { step: 0 } });
  });
});

/** A student whose logits are not finite in evaluation only, though every weight is. */
class Loud extends nn.Module {
  readonly layers: nn.Sequential;
  constructor(inputs: number, classes: number) {
    super();
    this.layers = new nn.Sequential(new nn.Linear(inputs, 6), new nn.Linear(6, 6), new nn.Linear(6, classes));
  }
  forward(x: Operand): Tensor {
    const logits = this.layers.call(x.flatten());
    return this.training ? logits : logits.mul(1e38).mul(1e38);
  }
}
students.register("loud", ({ channels, height, width, classes }) => new Loud(channels * height * width, classes));

test("a validation loss that is not finite is never the best", async () => {
  const config = { ...smallConfig, student: { ...smallConfig.student, name: "loud" }, baseline: false };
  const folder = runs.fresh();
  const { arms } = await runSmall({ config, folder, guideCache: runs.cache });
  expect(arms[0]).toMatchObject({ testAtBest: null, bestStep: null });
  expect(metrics(folder, "guided").flatMap(({ kind, best }) => (kind === "validation" ? [best] : []))).toEqual([
    false,
    false,
    false,
  ]);
  expect((await readCheckpoint(join(folder, "guided"), "last")).state.best).toBeNull();
});

describe("a loss that is not finite", () => {
  test("stops with step and layer; the checkpoint before it stands", async () => {
    const folder = runs.fresh();
    // the first update throws the weights out of float32's range
    const config = { ...smallConfig, learningRate: 1e30, validateEvery: 1 };
    await expect(runSmall({ config, folder, guideCache: runs.cache })).rejects.toThrow(
      /training guided, step 2: the loss is NaN; the first layer .* is "student\.[\w.]+" \(forward\); the checkpoint of step 1 in ".*guided" stands/,
    );
    expect((await readCheckpoint(join(folder, "guided"), "last")).state.step).toBe(1);
    expect(metrics(folder, "guided").filter(({ kind }) => kind === "step")).toHaveLength(1);
  });

  test("before any checkpoint it says nothing of one", async () => {
    const config = { ...smallConfig, learningRate: 1e30 };
    const failed = runSmall({ config, folder: runs.fresh(), guideCache: runs.cache });
    await expect(failed).rejects.toThrow("step 2");
    await expect(failed).rejects.not.toThrow("checkpoint");
  });
});
