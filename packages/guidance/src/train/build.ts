/** The two networks of a configuration, each with a generator of its own: weights and masks follow from the seed. */
import { Generator, type nn } from "@guidance/tensor";
import type { DatasetSplits } from "../data/dataset.ts";
import { buildNetwork } from "../models/network.ts";
import { guides, students } from "../models/registry.ts";
import type { TrainConfig } from "./config.ts";

export interface BuiltNetwork {
  readonly model: nn.Module;
  /** Source of its initial values and its dropout masks. */
  readonly generator: Generator;
}

/** Seeds of guide and student differ, so that their weights are independent. */
export const guideSeed = (seed: number): number => seed + 1;

/** The shape of the networks' task: the data set's, with the configured number of classes. */
export function imageTask({ classes }: TrainConfig, { train }: DatasetSplits) {
  return { channels: train.channels, height: train.height, width: train.width, classes: classes ?? train.classes };
}

/** The student, the same for every arm of a run. */
export function buildStudent(config: TrainConfig, splits: DatasetSplits): BuiltNetwork {
  const generator = new Generator(config.seed);
  const build = students.get(config.student.name);
  const task = { ...imageTask(config, splits), generator };
  return { model: buildNetwork(generator, () => build(task, config.student)).named("student"), generator };
}

/** The guide with its initial weights. */
export function buildGuide(config: TrainConfig, splits: DatasetSplits): BuiltNetwork {
  const generator = new Generator(guideSeed(config.seed));
  const build = guides.get(config.guide.name);
  const task = { ...imageTask(config, splits), generator };
  return { model: buildNetwork(generator, () => build(task, config.guide)).named("guide"), generator };
}
