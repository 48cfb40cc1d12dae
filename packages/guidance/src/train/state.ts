/** What a training run must remember to go on bit for bit: weights, moments, counters, place in the data. */
import type { Generator, nn, optim, SafetensorsTensor, SafetensorsType, StateDict, Variable } from "@guidance/tensor";
import { readCheckpoint, writeCheckpoint } from "../run/checkpoint.ts";
import type { JsonObject } from "../run/json.ts";
import { checkTensors } from "../run/tensors.ts";

/** A step that was validated. */
export interface RankedStep {
  readonly step: number;
  /** Validation loss. */
  readonly loss: number;
}

/** Where an arm of a run is. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** Step and validation loss of the best checkpoint so far; null while no validation loss was finite. */
  readonly best: RankedStep | null;
  /** The best by validation loss that have checkpoints of their own, the best first. */
  readonly top: readonly RankedStep[];
  /** Seconds spent in training steps so far. */
  readonly seconds: number;
}

/** The things whose state a checkpoint holds. */
export interface Trained {
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer;
  readonly scaler?: optim.LossScaler | undefined;
  /** Sources of random numbers in the step: the network's, and its guide's. */
  readonly generators: readonly Generator[];
}

const OPTIMIZER = "optimizer.";

/** The tensors a checkpoint of `trained` holds, as they are now. */
export async function collectTensors({ model, optimizer }: Trained): Promise<Map<string, SafetensorsTensor>> {
  const tensors = new Map<string, SafetensorsTensor>(await model.stateDict());
  for (const [name, variable] of optimizer.stateVariables()) {
    const data = await variable.read();
    tensors.set(OPTIMIZER + name, {
      dtype: data instanceof Float64Array ? "F64" : "F32",
      shape: [...variable.shape],
      data: data as Float32Array<ArrayBuffer>,
    });
  }
  return tensors;
}

/**
 * Names of tensors that no run can go on with: weights and moments that are not finite, and buffers with NaN. A
 * buffer may hold infinities on purpose (a mask).
 */
export function brokenTensors(tensors: ReadonlyMap<string, SafetensorsTensor>, model: nn.Module): string[] {
  const buffers = new Set(model.namedVariables().flatMap(([name, { trainable }]) => (trainable ? [] : [name])));
  const isBroken = ([name, { data }]: [string, SafetensorsTensor]): boolean => {
    if (!(data instanceof Float32Array || data instanceof Float64Array)) return false;
    const bad = buffers.has(name) ? Number.isNaN : (value: number) => !Number.isFinite(value);
    return (data as Float32Array).some((value) => bad(value));
  };
  return [...tensors].filter(isBroken).map(([name]) => name);
}

/** Writes checkpoint `name` of `folder`, atomically; `tensors` are those of `trained`. */
export async function saveProgress(
  folder: string,
  name: string,
  { optimizer, scaler, generators }: Trained,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  progress: Progress,
  config: JsonObject,
): Promise<void> {
  const generatorCounters = generators.map(({ counter }) => counter);
  const { step, best, top, seconds } = progress;
  const ranked = top.map((each) => ({ ...each }));
  const state = {
    step,
    best: best && { ...best },
    top: ranked,
    seconds,
    optimizerSteps: optimizer.stepCount,
    lossScale: scaler ? { scale: scaler.scale, goodSteps: scaler.goodSteps } : null,
    generatorCounters,
    config,
  };
  await writeCheckpoint(folder, name, { tensors, state });
}

/** The network's tensors of a checkpoint, by their `state_dict` names, and its JSON state. */
export async function readWeights(folder: string, name: string): Promise<{ weights: StateDict; state: JsonObject }> {
  const { tensors, state } = await readCheckpoint(folder, name);
  return { weights: weightsOf(tensors), state };
}

const weightsOf = (tensors: ReadonlyMap<string, SafetensorsTensor>): StateDict =>
  new Map([...tensors].filter(([key]) => !key.startsWith(OPTIMIZER)));

/** Throws RunError, naming the first tensors that do not fit, unless `tensors` are those of `variables`. */
function checkFit(what: string, tensors: StateDict, variables: Iterable<[string, Variable]>): void {
  const typeOf = (name: string, { dtype, shape }: Variable): SafetensorsType => {
    // float64 runs store their values as they are, and either precision loads both
    const float = tensors.get(name)?.dtype === "F64" ? "F64" : "F32";
    return { dtype: dtype === "f32" ? float : "I64", shape };
  };
  checkTensors(what, tensors, new Map([...variables].map(([name, variable]) => [name, typeOf(name, variable)])));
}

/** Loads the weights of a checkpoint into `model`; errors name tensors that do not fit, and then nothing has changed. */
export async function loadWeights(folder: string, name: string, model: nn.Module): Promise<{ step: number }> {
  const { weights, state } = await readWeights(folder, name);
  checkFit(`checkpoint "${name}" of "${folder}"`, weights, model.namedVariables());
  model.loadStateDict(weights);
  return { step: state.step as number };
}

/** Loads a checkpoint into `trained`; errors name tensors that do not fit, and then nothing has changed. */
export async function loadProgress(folder: string, name: string, trained: Trained): Promise<Progress> {
  const { model, optimizer, scaler, generators } = trained;
  const { tensors, state } = await readCheckpoint(folder, name);
  const moments = [...optimizer.stateVariables()].map(([key, variable]): [string, Variable] => [
    OPTIMIZER + key,
    variable,
  ]);
  checkFit(`checkpoint "${name}" of "${folder}"`, new Map(tensors), [...model.namedVariables(), ...moments]);
  model.loadStateDict(weightsOf(tensors));
  for (const [key, variable] of moments) variable.write(tensors.get(key)?.data as Float32Array);
  optimizer.stepCount = state.optimizerSteps as number;
  if (scaler) Object.assign(scaler, state.lossScale);
  generators.forEach((generator, i) => {
    generator.counter = (state.generatorCounters as number[])[i];
  });
  const { step, best, top, seconds } = state as unknown as Progress;
  return { step, best, top, seconds };
}
