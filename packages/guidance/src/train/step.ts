/**
 * Training steps: the student under guidance or alone, and the guide's own, as compiled plans. A batch may be computed in
 * equal parts whose gradients add up, for the memory of one part: similarity and batch statistics then are those of
 * a part.
 */
import {
  type Backend,
  type CompileOptions,
  compile,
  constant,
  crossEntropy,
  hostScalar,
  i32,
  type nn,
  optim,
  type Tensor,
  Variable,
} from "@guidance/tensor";
import { type Forwards, type GuideInput, guidanceLoss } from "../method/loss.ts";
import type { Similarity } from "../method/similarity.ts";
import { callNetwork } from "../models/network.ts";
import { type ImageInput, imageSpec, seenImages } from "./image-input.ts";
import { type PlannedStep, planStep } from "./planning.ts";

/** What steers the student. */
export interface Guidance {
  readonly guide: nn.Module;
  readonly similarity: Similarity;
  /** Weight of the similarity term, read before each step. */
  readonly alpha: () => number;
  readonly forwards: Forwards;
  /** What the guide sees; the images unless given. */
  readonly guideInput?: GuideInput;
  /** Steps after which the student goes on alone; all unless given. */
  readonly steps?: number;
}

export interface TrainingTask extends ImageInput {
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer;
  /** Absent: plain cross-entropy. */
  readonly guidance?: Guidance | undefined;
  /** Equal parts in which a batch is computed; 1 unless given. */
  readonly parts?: number;
  /** Largest norm of all gradients of a batch together; absent or null: any. */
  readonly clipNorm?: number | null;
  /** Part of each target that is spread over all classes; 0 unless given. */
  readonly labelSmoothing?: number;
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
export function batchInputs(input: ImageInput, batchSize: number) {
  return { images: imageSpec(input, batchSize), labels: i32(batchSize) };
}

/** Part number `part` of `parts` of a batch. */
export function partOf({ images, labels }: BatchValues, part: number, parts: number): BatchValues {
  if (parts === 1) return { images, labels };
  const cut = (values: ArrayLike<number>) => {
    const size = values.length / parts;
    return (values as Float32Array).subarray(part * size, (part + 1) * size);
  };
  return { images: cut(images), labels: cut(labels) };
}

type Trace = (inputs: { readonly images: Tensor; readonly labels: Tensor }) => Readonly<Record<keyof Losses, Tensor>>;
type Losses = Omit<LossValues, "pairs">;

/** Sums of gradients over the parts of a batch but the last. */
type Sums = ReadonlyMap<Variable, Variable>;

/** What the parts of a training step compute, and how many layers they pair once they are traced. */
function training(task: TrainingTask) {
  const { model, optimizer, guidance, parts = 1, clipNorm, labelSmoothing = 0 } = task;
  const traced = { pairs: 0 };
  const lossesOf: Trace = ({ images: given, labels }) => {
    const images = seenImages(task, given);
    const losses = guidance
      ? guidanceLoss(images, labels, {
          ...guidance,
          student: model,
          alpha: hostScalar("alpha", guidance.alpha),
          labelSmoothing,
        })
      : plainLoss(crossEntropy(callNetwork(model, images), labels, { labelSmoothing }));
    if ("pairs" in losses) traced.pairs = losses.pairs.length;
    const { loss, crossEntropy: entropy, dissimilarity } = losses;
    return { loss, crossEntropy: entropy, dissimilarity };
  };
  const sums: Sums = new Map(
    parts === 1
      ? []
      : optimizer.parameters.map((parameter) => [
          parameter,
          new Variable(parameter.shape, 0, { name: `${parameter.name}.sum`, trainable: false }),
        ]),
  );
  /** Adds a part's gradients to the sums. */
  const add: Trace = (inputs) => {
    const losses = lossesOf(inputs);
    for (const [parameter, gradient] of optimizer.gradients(losses.loss.mul(1 / parts))) {
      const sum = sums.get(parameter);
      sum?.assign(sum.add(gradient));
    }
    return losses;
  };
  /** Updates the parameters by the last part's gradients and the sums, which begin anew. */
  const update: Trace = (inputs) => {
    const losses = lossesOf(inputs);
    const own = optimizer.gradients(parts === 1 ? losses.loss : losses.loss.mul(1 / parts));
    const all = new Map(
      [...own].map(([parameter, gradient]) => [parameter, sums.get(parameter)?.add(gradient) ?? gradient]),
    );
    optimizer.apply(clipNorm ? optim.clipGradients(all, clipNorm).gradients : all);
    for (const sum of sums.values()) sum.assign(constant(0).broadcast(sum.shape));
    return losses;
  };
  return { traces: parts === 1 ? { update } : { update, add }, traced, sums };
}

/** The plans of one optimizer step: that of its last part, and of those before where there are several; nothing is allocated. */
export async function planTrainingStep(
  backend: Backend,
  task: TrainingTask,
  batchSize: number,
): Promise<PlannedStep[]> {
  const inputs = batchInputs(task, batchSize / (task.parts ?? 1));
  const planned: PlannedStep[] = [];
  for (const trace of Object.values(training(task).traces)) planned.push(await planStep(backend, inputs, trace));
  return planned;
}

/** A batch's losses, and which of its parts was the first whose loss is not finite. */
export interface BatchLosses extends LossValues {
  readonly badPart?: number;
}

/** Compiles one optimizer step over batches of exactly `batchSize` images. */
export async function compileTrainingStep(
  backend: Backend,
  task: TrainingTask,
  batchSize: number,
  options?: CompileOptions,
) {
  const { traces, traced, sums } = training(task);
  const { parts = 1 } = task;
  const inputs = batchInputs(task, batchSize / parts);
  const update = await compile(backend, inputs, traces.update, options);
  const add = traces.add && (await compile(backend, inputs, traces.add, options));
  const run = async (batch: BatchValues): Promise<BatchLosses> => {
    const total = { loss: 0, crossEntropy: 0, dissimilarity: 0 };
    for (let part = 0; part < parts; part++) {
      const step = add && part < parts - 1 ? add : update;
      const { images, labels } = partOf(batch, part, parts);
      const values = await step({ images, labels });
      for (const name of ["loss", "crossEntropy", "dissimilarity"] as const) total[name] += values[name].item() / parts;
      if (!Number.isFinite(total.loss)) return { ...total, ...traced, badPart: part };
    }
    return { ...total, ...traced };
  };
  const close = () => {
    update.close();
    add?.close();
    for (const sum of sums.values()) sum.close();
  };
  return { run, plan: update.plan, close };
}

function plainLoss(loss: ReturnType<typeof crossEntropy>) {
  return { loss, crossEntropy: loss, dissimilarity: constant(0) };
}

export type TrainingStep = Awaited<ReturnType<typeof compileTrainingStep>>;
