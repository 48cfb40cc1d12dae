/**
 * Training steps: the student under guidance or alone, and the guide's own, as compiled plans. A batch may be computed in
 * equal parts whose gradients add up, for the memory of one part: similarity and batch statistics then are those of
 * a part.
 */
import {
  type Backend,
  type CompileOptions,
  compile,
  type HostValue,
  hostScalar,
  i32,
  optim,
  type Tensor,
  Variable,
  where,
} from "@guidance/tensor";
import type { LayerPair } from "../features/pair.ts";
import { type ImageInput, imageSpec } from "./image-input.ts";
import { taskLosses } from "./losses.ts";
import { type PlannedStep, planStep } from "./planning.ts";
import type { TrainingTask } from "./task.ts";

/** The losses of one step. */
export interface LossValues {
  /** crossEntropy + alpha x dissimilarity. */
  readonly loss: number;
  readonly crossEntropy: number;
  /** Sum over pairs of 1 - similarity; 0 without guide. */
  readonly dissimilarity: number;
  /** Number of paired layers; 0 without guide. */
  readonly pairs: number;
  /** Similarity of each paired layer, in the order of the step's `layers`. */
  readonly similarities: readonly number[];
}

/** Paths of two layers that the loss aligns, e.g. `student.fc3` and `guide.layer1.0.conv1`. */
export type PairNames = { readonly student: string; readonly guide: string };

/** Torch paths of the layers of each pair. */
export const pairNames = (pairs: readonly LayerPair[]): PairNames[] =>
  pairs.map(({ student, guide }) => ({ student: student.path, guide: guide.path }));

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
    const [from, to] = [part * size, (part + 1) * size];
    // a plain array has no views
    return ArrayBuffer.isView(values)
      ? (values as Float32Array).subarray(from, to)
      : Array.from(values).slice(from, to);
  };
  return { images: cut(images), labels: cut(labels) };
}

/** The losses, and whether the gradients are finite where the loss was scaled. */
type Traced = Readonly<Record<keyof Losses, Tensor>> & { readonly finite?: Tensor };
type Trace = (inputs: { readonly images: Tensor; readonly labels: Tensor }) => Traced;
type Losses = Omit<LossValues, "pairs" | "similarities">;
const lossNames = ["loss", "crossEntropy", "dissimilarity"] as const;
/** The output of 1 - the similarity of pair number `i`. */
const termName = (i: number) => `term ${i}`;

/**
 * What a training step computes, and which layers it pairs once it is traced. In one part, `whole` is all of it. In
 * several, `add` sums the gradients of each part, and `update` moves the parameters by the sums: a program of its own, so
 * that no more than the activations of one part are there at a time.
 */
function training(task: TrainingTask) {
  const { optimizer, parts = 1, clipNorm, scaler } = task;
  const traced: { layers: PairNames[] } = { layers: [] };
  /** Number of the part that `add` computes. */
  const turn = { part: 0 };
  const lossesOf: Trace = (inputs) => {
    const { loss, crossEntropy, dissimilarity, pairs, terms } = taskLosses(task, inputs);
    traced.layers = pairNames(pairs);
    const named = Object.fromEntries(terms.map((term, i) => [termName(i), term]));
    return { loss, crossEntropy, dissimilarity, ...named };
  };
  const gradientsOf = (loss: Tensor): { gradients: optim.Gradients; finite?: Tensor } =>
    scaler ? scaler.gradients(optimizer, loss) : { gradients: optimizer.gradients(loss) };
  const apply = (gradients: optim.Gradients) =>
    optimizer.apply(clipNorm ? optim.clipGradients(gradients, clipNorm).gradients : gradients);
  const whole: Trace = (inputs) => {
    const losses = lossesOf(inputs);
    const { gradients, ...checked } = gradientsOf(losses.loss);
    apply(gradients);
    return { ...losses, ...checked };
  };
  if (parts === 1) return { traced, whole };
  const sums = new Map(
    optimizer.parameters.map((parameter): [Variable, Variable] => [
      parameter,
      new Variable(parameter.shape, 0, { name: `${parameter.name}.sum`, trainable: false }),
    ]),
  );
  const add: Trace = (inputs) => {
    const losses = lossesOf(inputs);
    const first = hostScalar("first part", () => (turn.part === 0 ? 1 : 0)).greater(0);
    const { gradients, ...checked } = gradientsOf(losses.loss.mul(1 / parts));
    for (const [parameter, gradient] of gradients) {
      const sum = sums.get(parameter);
      sum?.assign(where(first, gradient, sum.add(gradient)));
    }
    return { ...losses, ...checked };
  };
  const update = () => {
    apply(new Map([...sums].map(([parameter, sum]) => [parameter, sum.asTensor()])));
    return {};
  };
  return { traced, accumulated: { add, update, sums, turn } };
}

/** The plans of one optimizer step: the whole of it, or that of each part and that of the update; nothing is allocated. */
export async function planTrainingStep(
  backend: Backend,
  task: TrainingTask,
  batchSize: number,
): Promise<readonly [PlannedStep, ...PlannedStep[]]> {
  const { parts = 1 } = task;
  const inputs = batchInputs(task, batchSize / parts);
  const { whole, accumulated } = training(task);
  if (!accumulated) return [await planStep(backend, inputs, whole)];
  return [await planStep(backend, inputs, accumulated.add), await planStep(backend, {}, accumulated.update)];
}

/** A batch's losses, and which of its parts was the first whose loss is not finite. */
export interface BatchLosses extends LossValues {
  readonly badPart?: number;
  /** Whether scaled gradients overflowed, so that nothing changed and the scale was halved. */
  readonly skipped?: boolean;
}

/** Compiles one optimizer step over batches of exactly `batchSize` images. */
export async function compileTrainingStep(
  backend: Backend,
  task: TrainingTask,
  batchSize: number,
  options?: CompileOptions,
) {
  const { traced, whole, accumulated } = training(task);
  const { parts = 1, optimizer, scaler } = task;
  const step = await compile(backend, batchInputs(task, batchSize / parts), whole ?? accumulated.add, options);
  const update = accumulated && (await compile(backend, {}, accumulated.update, options));
  /** Trains on one batch, whose parts all have the same size. */
  const run = async (batch: BatchValues): Promise<BatchLosses> => {
    const { layers } = traced;
    const total = {
      loss: 0,
      crossEntropy: 0,
      dissimilarity: 0,
      pairs: layers.length,
      similarities: layers.map(() => 0),
    };
    let skipped = false;
    for (let part = 0; part < parts; part++) {
      const { images, labels } = partOf(batch, part, parts);
      if (accumulated) accumulated.turn.part = part;
      const values: Readonly<Record<string, HostValue>> = await step({ images, labels });
      for (const name of lossNames) total[name] += values[name].item() / parts;
      layers.forEach((_, i) => {
        total.similarities[i] += (1 - values[termName(i)].item()) / parts;
      });
      skipped ||= values.finite?.item() === 0;
      if (!Number.isFinite(total.loss)) return { ...total, badPart: part };
    }
    if (update && !skipped) await update({});
    // a step that changed nothing is none for the optimizer's bias corrections
    if (!update && skipped) optimizer.stepCount--;
    scaler?.update(!skipped);
    return { ...total, ...(skipped ? { skipped } : {}) };
  };
  /** Frees the buffers of its steps. */
  const close = () => {
    step.close();
    update?.close();
    for (const sum of accumulated?.sums.values() ?? []) sum.close();
  };
  return { run, plan: step.plan, layers: traced.layers, close };
}

/** A compiled training step: `run` it with a batch, `close` it at the end. */
export type TrainingStep = Awaited<ReturnType<typeof compileTrainingStep>>;
