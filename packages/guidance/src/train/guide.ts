/**
 * The guide: built from its own seed, trained for some steps unless its weights come from a file or stay random, cached
 * by the hash of all that decides its weights, so that the same run twice trains it once.
 */
import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import { join } from "node:path";
import {
  type Backend,
  type Generator,
  type nn,
  readSafetensors,
  type StateDict,
  writeSafetensors,
} from "@guidance/tensor";
import type { SourceSplits } from "../data/source.ts";
import { RunError } from "../run/errors.ts";
import { makeFolder, writeFileAtomic } from "../run/files.ts";
import type { JsonObject } from "../run/json.ts";
import { type Loggers, openArm } from "./arm.ts";
import { buildGuide, guideSeed, guideTask, imageTask, setGuideMode } from "./build.ts";
import type { TrainConfig } from "./config.ts";
import { fit } from "./fit.ts";
import { loadGuideFile, readGuideRecord, readIfThere, writeGuideRecord } from "./guide-record.ts";
import type { Observer } from "./observer.ts";

/** Which guide a run has, and where trained ones are kept. */
export interface GuideOptions {
  readonly backend: Backend;
  readonly config: TrainConfig;
  readonly splits: SourceSplits;
  /** Folder of cached guides. */
  readonly guideCache: string;
  /** Hash of the plugins that the guide or its data may come from. */
  readonly plugins?: string | undefined;
  /** Folder of the run: which guide it has, and the state of an interrupted training of it. */
  readonly folder: string;
  /** Takes the guide this run began with, and goes on with its training where that was interrupted. */
  readonly resume?: boolean;
  readonly observer?: Observer;
  readonly loggers?: Loggers | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A guide that is ready to steer. */
export interface PreparedGuide {
  readonly guide: nn.Module;
  /** Source of its dropout masks. */
  readonly generator: Generator;
  /** Where its weights came from. */
  readonly origin: "random" | "trained" | "cached" | "file";
  /** The file they are in, unless random. */
  readonly file?: string;
}

/** Raised whenever the same settings begin to give other weights (networks, training, engine), or these another file. */
const GUIDE_FORMAT = 6;

/** What decides which guide a run has. */
type GuideChoice = Pick<GuideOptions, "backend" | "config" | "splits" | "guideCache" | "plugins" | "resume"> & {
  readonly folder?: string;
};

/** Hash of everything that decides a trained guide's weights: settings, data, seed, device, and plugins, whose code may be part of it. */
function guideKey({ config, splits, backend, plugins }: GuideChoice): string {
  const { mode: _mode, input: _input, disconnectAfter: _steps, weights: _weights, ...settings } = config.guide;
  const { train } = splits;
  const task = imageTask(config, splits);
  return createHash("sha256")
    .update(
      JSON.stringify({
        format: GUIDE_FORMAT,
        settings,
        task,
        seed: config.seed,
        data: train.hash,
        backend: backend.name,
        plugins,
      }),
    )
    .digest("hex")
    .slice(0, 16);
}

/** The key of the guide of this run: the one it began with, else the one its configuration asks for. */
async function keyOfRun(options: GuideChoice): Promise<{ key: string; own: boolean; isNew: boolean }> {
  const { folder, resume } = options;
  const key = guideKey(options);
  const stored = resume && folder !== undefined ? await readGuideRecord(folder) : undefined;
  if (!stored || !("key" in stored)) return { key, own: true, isNew: true };
  return { key: stored.key, own: stored.key === key, isNew: false };
}

/** Whether a run will train its guide: it has no file, is not to stay random, and there is none for it in the cache. */
export async function trainsGuide(options: GuideChoice): Promise<boolean> {
  const { weights, steps } = options.config.guide;
  if (weights !== null || steps === 0) return false;
  const { key } = await keyOfRun(options);
  return access(join(options.guideCache, `${key}.safetensors`)).then(
    () => false,
    () => true,
  );
}

/** The guide, in the mode the configuration asks for; its Variables live on `backend` from now on. */
export async function prepareGuide(options: GuideOptions): Promise<PreparedGuide> {
  const { config, splits, guideCache: cache, folder } = options;
  const { model: guide, generator } = buildGuide(config, splits);
  const { counter } = generator;
  const ready = (origin: PreparedGuide["origin"], file?: string): PreparedGuide => {
    // the same stream goes on whether the guide was trained just now or before
    generator.counter = counter;
    setGuideMode(guide, config);
    return { guide, generator, origin, ...(file === undefined ? {} : { file }) };
  };
  const { weights, steps } = config.guide;
  if (weights !== null) {
    await loadGuideFile(guide, weights, options);
    return ready("file", weights);
  }
  if (steps === 0) return ready("random");

  const { key, own, isNew } = await keyOfRun(options);
  if (isNew) await writeGuideRecord(folder, { key });
  const file = join(cache, `${key}.safetensors`);
  const stored = await readIfThere(file);
  if (stored) {
    loadGuide(guide, stored, file);
    return ready("cached", file);
  }
  if (!own) {
    throw new RunError({
      what: "resume",
      facts: `the guide this run began with, "${file}", is not there, and on ${options.backend.name} or with these data and plugins it would become another`,
      expected: "the same device, data and plugins, or the file",
      hint: "Use the device that the run began on",
    });
  }
  await trainGuide(options, guide, generator);
  await makeFolder(cache);
  await writeFileAtomic(file, cachedGuide(await guide.stateDict()));
  return ready("trained", file);
}

/** A safetensors file that has the version and a checksum of all the rest in its metadata. */
function cachedGuide(weights: StateDict): Uint8Array {
  const metadata = { version: String(GUIDE_FORMAT) };
  const sha256 = createHash("sha256").update(writeSafetensors(weights, metadata)).digest("hex");
  return writeSafetensors(weights, { ...metadata, sha256 });
}

function loadGuide(guide: nn.Module, bytes: Buffer, file: string): void {
  try {
    const weights = readSafetensors(bytes).tensors;
    if (!bytes.equals(cachedGuide(weights))) throw new Error("its checksum does not fit");
    guide.loadStateDict(weights);
  } catch (error) {
    throw new RunError({
      what: "cached guide",
      facts: `"${file}" cannot be used (${(error as Error).message})`,
      hint: "Delete it, and the guide is trained anew",
    });
  }
}

async function trainGuide(
  { backend, config, splits, folder, resume, observer, loggers, signal }: GuideOptions,
  guide: nn.Module,
  generator: Generator,
): Promise<void> {
  const { steps, batchSize, learningRate } = config.guide;
  const task = guideTask(config, splits, guide);
  const { optimizer } = task;
  const arm = await openArm(
    join(folder, "guide"),
    { model: guide, optimizer, generators: [generator] },
    { backend, resume, observer, loggers, config: config as unknown as JsonObject },
  );
  try {
    await fit({
      arm: "guide",
      backend,
      task,
      generators: [generator],
      splits,
      config: {
        ...config,
        seed: guideSeed(config.seed),
        steps,
        batchSize,
        learningRate,
        // the schedule is the student's
        schedule: "step",
        decayEvery: null,
        warmupSteps: 0,
        lastBatch: "drop",
        inspectEvery: null,
      },
      ...arm.options,
      validate: false,
      signal,
    });
    arm.log.end?.();
  } finally {
    await arm.close();
    optimizer.close();
  }
}
