/** What a training run must remember to go on bit for bit: weights, moments, counters, place in the data. */
import type { Generator, nn, optim, SafetensorsTensor, StateDict } from "@guidance/tensor";
import { readCheckpoint, writeCheckpoint } from "../run/checkpoint.ts";
import type { JsonObject } from "../run/json.ts";

/** Where an arm of a run is. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** Step and validation loss of the best checkpoint so far; null before the first validation. */
  readonly best: { readonly step: number; readonly loss: number } | null;
  /** Seconds spent in training steps so far. */
  readonly seconds: number;
}

/** The things whose state a checkpoint holds. */
export interface Trained {
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer;
  readonly generator: Generator;
}

const OPTIMIZER = "optimizer.";

async function collect({ model, optimizer }: Trained): Promise<Map<string, SafetensorsTensor>> {
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

/** Writes checkpoint `name` of `folder`, atomically. */
export async function saveProgress(
  folder: string,
  name: string,
  trained: Trained,
  progress: Progress,
  config: JsonObject,
): Promise<void> {
  const { optimizer, generator } = trained;
  const state = { ...progress, optimizerSteps: optimizer.stepCount, generatorCounter: generator.counter, config };
  await writeCheckpoint(folder, name, { tensors: await collect(trained), state });
}

/** The network's tensors of a checkpoint, by their `state_dict` names, and its JSON state. */
export async function readWeights(folder: string, name: string): Promise<{ weights: StateDict; state: JsonObject }> {
  const { tensors, state } = await readCheckpoint(folder, name);
  return { weights: new Map([...tensors].filter(([key]) => !key.startsWith(OPTIMIZER))), state };
}

/** Loads a checkpoint into `trained`; errors name tensors that do not fit, and then nothing has changed. */
export async function loadProgress(folder: string, name: string, trained: Trained): Promise<Progress> {
  const { tensors, state } = await readCheckpoint(folder, name);
  const weights: StateDict = new Map([...tensors].filter(([key]) => !key.startsWith(OPTIMIZER)));
  trained.model.loadStateDict(weights);
  for (const [key, variable] of trained.optimizer.stateVariables()) {
    const tensor = tensors.get(OPTIMIZER + key);
    if (tensor) variable.write(tensor.data as Float32Array);
  }
  trained.optimizer.stepCount = state.optimizerSteps as number;
  trained.generator.counter = state.generatorCounter as number;
  return { step: state.step as number, best: state.best as Progress["best"], seconds: state.seconds as number };
}
