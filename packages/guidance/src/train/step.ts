/** Training steps: the student under guidance or alone, and the guide's own, as compiled plans. */
import {
  type Backend,
  type CompileOptions,
  compile,
  constant,
  crossEntropy,
  f32,
  hostScalar,
  i32,
  type nn,
  type optim,
  type Tensor,
} from "@guidance/tensor";
import { type Forwards, guidanceLoss } from "../method/loss.ts";
import type { Similarity } from "../method/similarity.ts";
import { callNetwork } from "../models/network.ts";
import { type PlannedStep, planStep } from "./planning.ts";

/** What steers the student. */
export interface Guidance {
  readonly guide: nn.Module;
  readonly similarity: Similarity;
  /** Weight of the similarity term, read before each step. */
  readonly alpha: () => number;
  readonly forwards: Forwards;
}

export interface TrainingTask {
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer;
  /** Absent: plain cross-entropy. */
  readonly guidance?: Guidance | undefined;
  /** [C, H, W] of one image. */
  readonly imageShape: readonly number[];
}

export interface LossValues {
  /** crossEntropy + alpha x dissimilarity. */
  readonly loss: number;
  readonly crossEntropy: number;
  /** Sum over pairs of 1 - similarity; 0 without guide. */
  readonly dissimilarity: number;
  /** Number of paired layers; 0 without guide. */
  readonly pairs: number;
}

/** Values of a batch; what else it has is not read. */
export interface BatchValues {
  readonly images: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

/** Inputs of every step over a batch of `batchSize` images. */
export function batchInputs(imageShape: readonly number[], batchSize: number) {
  return { images: f32(batchSize, ...imageShape), labels: i32(batchSize) };
}

/** What a training step computes, and how many layers it pairs once it is traced. */
function training({ model, optimizer, guidance }: TrainingTask) {
  const traced = { pairs: 0 };
  const trace = ({ images, labels }: { readonly images: Tensor; readonly labels: Tensor }) => {
    const losses = guidance
      ? guidanceLoss(images, labels, { ...guidance, student: model, alpha: hostScalar("alpha", guidance.alpha) })
      : plainLoss(crossEntropy(callNetwork(model, images), labels));
    if ("pairs" in losses) traced.pairs = losses.pairs.length;
    const { loss, crossEntropy: entropy, dissimilarity } = losses;
    optimizer.minimize(loss);
    return { loss, crossEntropy: entropy, dissimilarity };
  };
  return { trace, traced };
}

/** The plan of one optimizer step; nothing is allocated. */
export function planTrainingStep(backend: Backend, task: TrainingTask, batchSize: number): Promise<PlannedStep> {
  return planStep(backend, batchInputs(task.imageShape, batchSize), training(task).trace);
}

/** Compiles one optimizer step over batches of exactly `batchSize` images. */
export async function compileTrainingStep(
  backend: Backend,
  task: TrainingTask,
  batchSize: number,
  options?: CompileOptions,
) {
  const { trace, traced } = training(task);
  const step = await compile(backend, batchInputs(task.imageShape, batchSize), trace, options);
  const run = async ({ images, labels }: BatchValues): Promise<LossValues> => {
    const { loss, crossEntropy: entropy, dissimilarity } = await step({ images, labels });
    return { loss: loss.item(), crossEntropy: entropy.item(), dissimilarity: dissimilarity.item(), ...traced };
  };
  return { run, plan: step.plan, close: () => step.close() };
}

function plainLoss(loss: ReturnType<typeof crossEntropy>) {
  return { loss, crossEntropy: loss, dissimilarity: constant(0) };
}

export type TrainingStep = Awaited<ReturnType<typeof compileTrainingStep>>;
