/** What a training run must remember to go on bit for bit: weights, moments, counters, place in the data. */
import { type Backend, type Generator, nn, type optim, type SafetensorsType, type Variable } from "@guidance/tensor";
import { z } from "zod";
import { type TensorSource, writeCheckpoint } from "../run/checkpoint.ts";
import { RunError } from "../run/errors.ts";
import type { JsonObject } from "../run/json.ts";
import { type OpenCheckpoint, openCheckpoint, type TypesCheck } from "../run/open-checkpoint.ts";
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

/** What a checkpoint of `trained` holds, by name. */
function variablesOf({ model, optimizer }: Pick<Trained, "model" | "optimizer">): [string, Variable][] {
  const moments = [...optimizer.stateVariables()].map(([name, variable]): [string, Variable] => [
    OPTIMIZER + name,
    variable,
  ]);
  return [...model.namedVariables(), ...moments];
}

/** The tensors of `variables`, as they are when they are read. */
function sourceOf(variables: Iterable<[string, Variable]>): TensorSource {
  const named = new Map(variables);
  async function* parts(name: string): AsyncGenerator<Uint8Array> {
    for await (const part of named.get(name)!.readParts()) {
      const { buffer, byteOffset, byteLength } = nn.toStored(part);
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
  }
  return { types: new Map([...named].map(([name, variable]) => [name, nn.storedType(variable)])), parts };
}

/**
 * Names of tensors that no run can go on with: weights and moments that are not finite, and buffers with NaN. A
 * buffer may hold infinities on purpose (a mask).
 */
export async function brokenTensors(trained: Pick<Trained, "model" | "optimizer">): Promise<string[]> {
  const buffers = new Set(trained.model.namedVariables().flatMap(([name, { trainable }]) => (trainable ? [] : [name])));
  const broken: string[] = [];
  for (const [name, variable] of variablesOf(trained)) {
    const isBad = buffers.has(name) ? Number.isNaN : (value: number) => !Number.isFinite(value);
    for await (const part of variable.readParts()) {
      if (!(part as Float32Array).some((value) => isBad(value))) continue;
      broken.push(name);
      break;
    }
  }
  return broken;
}

const count = z.int().min(0);
const ranked = z.object({ step: count, loss: z.number() });
const stateSchema = z.object({
  step: count,
  best: ranked.nullable(),
  top: z.array(ranked),
  seconds: z.number().min(0),
  optimizerSteps: count,
  lossScale: z.object({ scale: z.number().positive(), goodSteps: count }).nullable(),
  generatorCounters: z.array(count),
});

/** Writes a checkpoint into `folder` under each of `names`, atomically. */
export async function saveProgress(
  folder: string,
  names: readonly string[],
  trained: Trained,
  progress: Progress,
  config: JsonObject,
): Promise<void> {
  const { optimizer, scaler, generators } = trained;
  const generatorCounters = generators.map(({ counter }) => counter);
  const { step, best, top, seconds } = progress;
  const state = {
    step,
    best: best && { ...best },
    top: top.map((each) => ({ ...each })),
    seconds,
    optimizerSteps: optimizer.stepCount,
    lossScale: scaler ? { scale: scaler.scale, goodSteps: scaler.goodSteps } : null,
    generatorCounters,
    config,
  };
  await writeCheckpoint(folder, names, { tensors: sourceOf(variablesOf(trained)), state });
}

/** The network's tensors of a checkpoint, by their `state_dict` names; to be closed. */
export async function openNetwork(folder: string, name: string, check?: TypesCheck): Promise<OpenCheckpoint> {
  const network = (types: ReadonlyMap<string, SafetensorsType>) =>
    new Map([...types].filter(([key]) => !key.startsWith(OPTIMIZER)));
  const opened = await openCheckpoint(folder, name, check && ((types) => check(network(types))));
  return { ...opened, types: network(opened.types) };
}

/** Throws RunError, naming the first tensors that do not fit, unless those of a checkpoint are those of `variables`. */
function fitting(folder: string, name: string, variables: Iterable<[string, Variable]>): TypesCheck {
  return (types) => {
    const typeOf = (key: string, { dtype, shape }: Variable): SafetensorsType => {
      // float64 runs store their values as they are, and either precision loads both
      const float = types.get(key)?.dtype === "F64" ? "F64" : "F32";
      return { dtype: dtype === "f32" ? float : "I64", shape };
    };
    const expected = new Map([...variables].map(([key, variable]) => [key, typeOf(key, variable)]));
    checkTensors(`checkpoint "${name}" of "${folder}"`, types, expected);
  };
}

/** Gives `variables` their values, each at once on `backend`, if one is given: then the host holds one at a time. */
async function readInto(
  variables: Iterable<[string, Variable]>,
  checkpoint: OpenCheckpoint,
  backend?: Backend,
): Promise<void> {
  for (const [name, variable] of variables) {
    variable.write(nn.fromStored(await checkpoint.read(name)));
    if (backend) variable.bind(backend);
  }
}

/** The state of a checkpoint; throws RunError where it lacks something, of counters of `generators` if that is given. */
function parseState(folder: string, name: string, { state }: OpenCheckpoint, generators?: number) {
  const parsed = stateSchema
    .refine((found) => generators === undefined || found.generatorCounters.length === generators, {
      path: ["generatorCounters"],
    })
    .safeParse(state);
  if (parsed.success) return parsed.data;
  throw new RunError({
    what: `checkpoint "${name}" of "${folder}"`,
    facts: `its state is off at "${parsed.error.issues[0].path.join(".")}"`,
    expected: "the state of a run",
    hint: "Use another checkpoint of the run",
  });
}

/** Loads the weights of a checkpoint into `model`; errors name tensors that do not fit, and then nothing has changed. */
export async function loadWeights(folder: string, name: string, model: nn.Module): Promise<{ step: number }> {
  const variables = model.namedVariables();
  const checkpoint = await openNetwork(folder, name, fitting(folder, name, variables));
  try {
    const { step } = parseState(folder, name, checkpoint);
    await readInto(variables, checkpoint);
    return { step };
  } finally {
    await checkpoint.close();
  }
}

/**
 * Loads a checkpoint into `trained`, whose Variables live on `backend` from now on; errors name tensors that do not fit,
 * and then nothing has changed.
 */
export async function loadProgress(
  folder: string,
  name: string,
  trained: Trained,
  backend: Backend,
): Promise<Progress> {
  const { optimizer, scaler, generators } = trained;
  const variables = variablesOf(trained);
  const checkpoint = await openCheckpoint(folder, name, fitting(folder, name, variables));
  try {
    const state = parseState(folder, name, checkpoint, generators.length);
    const { optimizerSteps, lossScale, generatorCounters, ...progress } = state;
    await readInto(variables, checkpoint, backend);
    optimizer.stepCount = optimizerSteps;
    if (scaler && lossScale) Object.assign(scaler, lossScale);
    generators.forEach((generator, i) => {
      generator.counter = generatorCounters[i];
    });
    return progress;
  } finally {
    await checkpoint.close();
  }
}
