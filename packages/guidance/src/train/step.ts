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
} from "@guidance/tensor";
import { type Forwards, guidanceLoss } from "../method/loss.ts";
import type { Similarity } from "../method/similarity.ts";
import { callNetwork } from "../models/network.ts";

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

/** Inputs of every step over a batch of `batchSize` images. */
export function batchInputs(imageShape: readonly number[], batchSize: number) {
  return { images: f32(batchSize, ...imageShape), labels: i32(batchSize) };
}

/** Compiles one optimizer step over batches of exactly `batchSize` images. */
export async function compileTrainingStep(
  backend: Backend,
  task: TrainingTask,
  batchSize: number,
  options?: CompileOptions,
) {
  const { model, optimizer, guidance, imageShape } = task;
  let pairs = 0;
  const step = await compile(
    backend,
    batchInputs(imageShape, batchSize),
    ({ images, labels }) => {
      const losses = guidance
        ? guidanceLoss(images, labels, { ...guidance, student: model, alpha: hostScalar("alpha", guidance.alpha) })
        : plainLoss(crossEntropy(callNetwork(model, images), labels));
      if ("pairs" in losses) pairs = losses.pairs.length;
      const { loss, crossEntropy: entropy, dissimilarity } = losses;
      optimizer.minimize(loss);
      return { loss, crossEntropy: entropy, dissimilarity };
    },
    options,
  );
  const run = async (batch: { images: ArrayLike<number>; labels: ArrayLike<number> }): Promise<LossValues> => {
    const { loss, crossEntropy: entropy, dissimilarity } = await step(batch);
    return { loss: loss.item(), crossEntropy: entropy.item(), dissimilarity: dissimilarity.item(), pairs };
  };
  return { run, plan: step.plan, close: () => step.close() };
}

function plainLoss(loss: ReturnType<typeof crossEntropy>) {
  return { loss, crossEntropy: loss, dissimilarity: constant(0) };
}

export type TrainingStep = Awaited<ReturnType<typeof compileTrainingStep>>;
