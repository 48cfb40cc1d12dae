/**
 * The two networks of a configuration, each with a generator of its own, so that weights and masks follow from the
 * seed; and how they are trained.
 */
import { Generator, nn, optim } from "@guidance/tensor";
import type { ImageFormat } from "../data/source.ts";
import { similarityOf } from "../method/similarity.ts";
import { buildNetwork } from "../models/network.ts";
import { guides, students } from "../models/registry.ts";
import type { TrainConfig } from "./config.ts";
import type { ImageInput } from "./image-input.ts";
import type { Guidance, TrainingTask } from "./task.ts";

/** A network and its random numbers. */
export interface BuiltNetwork {
  readonly model: nn.Module;
  /** Source of its initial values and its dropout masks. */
  readonly generator: Generator;
}

/** All that networks and their tasks need of the data. */
export interface TaskSplits {
  readonly train: ImageFormat;
}

/** Seeds of guide and student differ, so that their weights are independent. */
export const guideSeed = (seed: number): number => seed + 1;

/** The shape of the networks' task: the data set's, with the configured number of classes. */
export function imageTask({ classes }: TrainConfig, { train }: TaskSplits) {
  return { channels: train.channels, height: train.height, width: train.width, classes: classes ?? train.classes };
}

/** The student, the same for every arm of a run. */
export function buildStudent(config: TrainConfig, splits: TaskSplits): BuiltNetwork {
  const generator = new Generator(config.seed);
  const build = students.get(config.student.name);
  const task = { ...imageTask(config, splits), generator };
  const what = `student "${config.student.name}"`;
  const model = buildNetwork(what, generator, () => build(task, config.student)).named("student");
  if (config.precision === "mixed") nn.storeHalves(model);
  return { model, generator };
}

/** The guide with its initial weights. */
export function buildGuide(config: TrainConfig, splits: TaskSplits): BuiltNetwork {
  const generator = new Generator(guideSeed(config.seed));
  const build = guides.get(config.guide.name);
  const task = { ...imageTask(config, splits), generator };
  const what = `guide "${config.guide.name}"`;
  return { model: buildNetwork(what, generator, () => build(task, config.guide)).named("guide"), generator };
}

/** How a data set's images enter a step: as bytes. */
export function imageInput({ train }: TaskSplits): ImageInput {
  const { channels, height, width, mean, std } = train;
  return { imageShape: [channels, height, width], normalization: { mean, std } };
}

/** Training of the student, under `guide` if there is one. */
export function studentTask(
  config: TrainConfig,
  splits: TaskSplits,
  model: nn.Module,
  guide?: nn.Module,
): TrainingTask {
  const { learningRate, weightDecay, accumulate: parts, clipNorm, labelSmoothing } = config;
  const optimizer =
    weightDecay > 0
      ? new optim.AdamW(model.parameters(), { learningRate, weightDecay })
      : new optim.Adam(model.parameters(), { learningRate });
  const guidance = guide && buildGuidance(config, guide);
  const scaler = config.precision === "mixed" ? new optim.LossScaler() : undefined;
  return { model, optimizer, guidance, ...imageInput(splits), parts, clipNorm, labelSmoothing, scaler };
}

/** How a guide that is ready steers; in mixed precision it stores halves from now on. */
export function buildGuidance(config: TrainConfig, guide: nn.Module): Guidance {
  // its own training was in float32
  if (config.precision === "mixed") nn.storeHalves(guide);
  return {
    guide,
    similarity: similarityOf(config.similarity),
    alpha: () => config.alpha,
    forwards: config.forwards,
    guideInput: config.guide.input,
    steps: config.guide.disconnectAfter ?? Infinity,
  };
}

/** The guide's own training. */
export function guideTask({ guide }: TrainConfig, splits: TaskSplits, model: nn.Module): TrainingTask {
  const optimizer = new optim.Adam(model.parameters(), { learningRate: guide.learningRate });
  return { model, optimizer, ...imageInput(splits) };
}

/** Puts a guide that is ready into the mode the configuration asks for; layers that its author froze stay frozen. */
export function setGuideMode(guide: nn.Module, config: TrainConfig): void {
  if (config.guide.mode === "eval") guide.eval();
}
