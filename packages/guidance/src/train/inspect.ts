/**
 * A look into a network in training, now and then: how alike its layers are to the guide's, and how large the gradients of
 * its layers are, on one batch. It changes nothing: what the pass would assign (running statistics) is dropped, and the
 * random numbers are those that the next step draws.
 */
import { type Backend, compile, currentTrace, type Generator, grad, hostScalar, type Tensor } from "@guidance/tensor";
import { taskLosses } from "./losses.ts";
import { type PlannedStep, planStep } from "./planning.ts";
import { type BatchValues, batchInputs, type PairNames, pairNames, partOf } from "./step.ts";
import type { TrainingTask } from "./task.ts";

/** The similarity of one pair of layers. */
export type PairSimilarity = PairNames & { readonly similarity: number };
/** Norm of the gradients of all parameters of one layer. */
export type LayerNorm = { readonly layer: string; readonly norm: number };

/** What one inspection found. */
export interface Inspection {
  /** Similarity of each paired layer to the guide's; none where there is no guide to look at. */
  readonly similarities: readonly PairSimilarity[];
  /** Norm of the gradients of all parameters of each layer, from the input on. */
  readonly gradients: readonly LayerNorm[];
}

/** A compiled inspection; closed when the arm ends. */
export interface Inspector {
  /** Inspects on one batch; changes nothing. */
  run(batch: BatchValues): Promise<Inspection>;
  /** Frees the step's buffers. */
  close(): void;
}

function inspection(task: TrainingTask) {
  const scale = () => task.scaler?.scale ?? 1;
  const found: { pairs: PairNames[]; layers: string[] } = { pairs: [], layers: [] };
  const trace = (inputs: { readonly images: Tensor; readonly labels: Tensor }): Record<string, Tensor> => {
    const { loss, crossEntropy, pairs, terms } = taskLosses(task, inputs, task.guidance ?? task.watched);
    const { parameters } = task.optimizer;
    const scaled = (task.guidance ? loss : crossEntropy).mul(hostScalar("loss scale", scale));
    const squares = new Map<string, Tensor>();
    grad(scaled, parameters).forEach((gradient, i) => {
      const { name } = parameters[i];
      const layer = name.slice(0, Math.max(0, name.lastIndexOf(".")));
      const square = gradient.mul(gradient).sum();
      squares.set(layer, squares.get(layer)?.add(square) ?? square);
    });
    Object.assign(found, { pairs: pairNames(pairs), layers: [...squares.keys()] });
    currentTrace()?.assigned.clear();
    return Object.fromEntries([
      ...terms.map((term, i) => [`term ${i}`, term]),
      ...[...squares.values()].map((square, i) => [`norm ${i}`, square.sqrt()]),
    ]);
  };
  return { trace, found, scale };
}

const partSize = ({ parts = 1 }: TrainingTask, batchSize: number): number => batchSize / parts;

/** The plan of an inspection; nothing is allocated. */
export function planInspection(backend: Backend, task: TrainingTask, batchSize: number): Promise<PlannedStep> {
  return planStep(backend, batchInputs(task, partSize(task, batchSize)), inspection(task).trace);
}

/**
 * Compiles the inspection of `task` on batches of `batchSize` images, of which the first part is looked at. `generators`
 * are those the networks draw from; they are left as they were.
 */
export async function compileInspection(
  backend: Backend,
  task: TrainingTask,
  batchSize: number,
  generators: readonly Generator[],
): Promise<Inspector> {
  const { trace, found, scale } = inspection(task);
  const step = await compile(backend, batchInputs(task, partSize(task, batchSize)), trace);
  const run = async (batch: BatchValues): Promise<Inspection> => {
    const counters = generators.map(({ counter }) => counter);
    const { images, labels } = partOf(batch, 0, task.parts ?? 1);
    const values = await step({ images, labels });
    generators.forEach((generator, i) => {
      generator.counter = counters[i];
    });
    const similarities = found.pairs.map((pair, i) => ({ ...pair, similarity: 1 - values[`term ${i}`].item() }));
    const gradients = found.layers.map((layer, i) => ({ layer, norm: values[`norm ${i}`].item() / scale() }));
    return { similarities, gradients };
  };
  return { run, close: () => step.close() };
}
