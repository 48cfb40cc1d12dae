/** What is refused before a run begins. */
import { nn, type Operand, type Tensor } from "@guidance/tensor";
import { expect, test } from "vitest";
import { similarities } from "../method/similarity.ts";
import { students } from "../models/registry.ts";
import { loadExperimentData } from "./check.ts";
import { checkConfig, type TrainConfig } from "./config.ts";
import { smallConfig, smallNotebookConfig } from "./experiment.test.support.ts";

/** A student with one layer for other inputs than it gets. */
class Broken extends nn.Module {
  readonly first = new nn.Linear(64, 5);
  readonly second = new nn.Linear(6, 4);
  forward(x: Operand): Tensor {
    return this.second.call(this.first.call(x.flatten()));
  }
}

/** A student with too few outputs. */
class Narrow extends nn.Module {
  readonly layers = new nn.Sequential(new nn.Linear(64, 5), new nn.Linear(5, 3));
  forward(x: Operand): Tensor {
    return this.layers.call(x.flatten());
  }
}

/** A student without any layer to align. */
class Bare extends nn.Module {
  readonly only = new nn.Linear(64, 4);
  forward(x: Operand): Tensor {
    return this.only.call(x.flatten());
  }
}

students.register("broken", () => new Broken());
students.register("narrow", () => new Narrow());
students.register("bare", () => new Bare());
similarities.register("matrix", (x) => x);

const student = (name: string): Partial<TrainConfig> => ({ student: { ...smallConfig.student, name } });

const refused: [string, Partial<TrainConfig>, RegExp][] = [
  ["an unknown data set", { dataset: "sinthetic" }, /no data set "sinthetic".*Perhaps you meant "synthetic"/],
  ["an unknown student", student("deep-fnc"), /no student "deep-fnc".*Perhaps you meant "deep-fcn"/],
  ["an unknown similarity", { similarity: "cca" }, /no similarity "cca".*Expected one of cka, .*, matrix/],
  ["a batch larger than the data", { batchSize: 41 }, /it has 41 images and "synthetic train" has 40.*at most 40/],
  ["the guide's too", { guide: { ...smallConfig.guide, batchSize: 64 } }, /guide's batch: it has 64 images/],
  ["a last batch of one", { batchSize: 13, lastBatch: "keep" }, /the last batch keeps one, which has no variance/],
  ["fewer outputs than classes", { classes: 3 }, /3 outputs and "synthetic train" has 4 classes/],
  [
    "layers that do not fit",
    student("broken"),
    /linear in "student\.second": x is \[16, 5\], weight is \[4, 6\].*at .*check\.test\.ts:\d+/,
  ],
  [
    "a student of another task",
    student("narrow"),
    /student "narrow": images .* become \[16, 3\]. Expected logits \[16, 4\]/,
  ],
  [
    "a student without features",
    student("bare"),
    /student "bare": it has no layer to align.*at least two layers of Conv2d, Linear/,
  ],
  ["a similarity that is no scalar", { similarity: "matrix" }, /similarity "matrix".*Expected a scalar/],
];

test.each(refused)("%s is refused", async (_name, change, message) => {
  await expect(loadExperimentData(checkConfig({ ...smallConfig, ...change }))).rejects.toThrow(message);
});

test.each([
  ["default", smallConfig],
  ["notebook", smallNotebookConfig],
])("%s passes, and a guide that is not trained needs no batch", async (_name, config) => {
  expect((await loadExperimentData(config)).train.count).toBe(40);
  await loadExperimentData({ ...config, guide: { ...config.guide, steps: 0, batchSize: 1000 } });
  await loadExperimentData({ ...config, guide: { ...config.guide, weights: "guide.pth", steps: 5, batchSize: 1000 } });
});
