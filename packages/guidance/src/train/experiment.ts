/**
 * Experiment: the whole job of `guidance train`. Data, guide, the guided student, then the same student from
 * the same weights and batches without guide; test scores at the end, touched once.
 */
import { join } from "node:path";
import type { Backend } from "@guidance/tensor";
import { countBadImages, type SourceSplits } from "../data/source.ts";
import type { JsonObject } from "../run/json.ts";
import { type SealFormat, writeSealed } from "../run/sealed.ts";
import { type Loggers, openArm } from "./arm.ts";
import { buildGuidance, buildStudent, studentTask } from "./build.ts";
import { loadExperimentData } from "./check.ts";
import type { TrainConfig } from "./config.ts";
import type { ArmResult, Scores } from "./evaluate.ts";
import { fit } from "./fit.ts";
import { type PreparedGuide, prepareGuide } from "./guide.ts";
import type { Observer } from "./observer.ts";
import { scoreModel } from "./score.ts";
import { loadWeights } from "./state.ts";

/** Format of `summary.json`. */
export const SUMMARY_FORMAT: SealFormat = { name: "summary", version: 1, hint: "Take the numbers from metrics.jsonl" };

/** A run: its configuration, its device, its folder. */
export interface ExperimentOptions {
  readonly backend: Backend;
  readonly config: TrainConfig;
  /** What `loadExperimentData` gave for `config`; loaded unless given. */
  readonly splits?: SourceSplits;
  /** Folder of this run, created by the caller. */
  readonly folder: string;
  /** Folder of cached guides. */
  readonly guideCache: string;
  /** Hash of the plugins that networks and data may come from. */
  readonly plugins?: string | undefined;
  readonly observer?: Observer;
  /** Told beside `metrics.jsonl`. */
  readonly loggers?: Loggers;
  readonly signal?: AbortSignal | undefined;
  /** Goes on from the `last` checkpoint of each arm, where there is one. */
  readonly resume?: boolean;
  /** `best` or `top-<step>`: what a resumed arm goes on from where its `last` checkpoint is damaged. */
  readonly checkpoint?: string | undefined;
}

/** What a run comes to, as `summary.json` has it. */
export interface ExperimentResult {
  readonly arms: readonly ArmResult[];
  /** The guide's own test scores, in evaluation mode. */
  readonly guide: Scores & { readonly origin: PreparedGuide["origin"] };
  readonly adapter: string;
  /** Number of images that were found bad since the run was last started, and skipped. */
  readonly badImages: number;
}

/**
 * Trains the guide if need be, the student under it and the student alone, and scores each on the test images once;
 * writes into `folder`.
 * Throws InterruptedError when told to stop, NotFiniteError for a loss or weights that are not finite,
 * DeviceLostError, RunError.
 */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const { backend, config, folder, observer, signal } = options;
  const splits = options.splits ?? (await loadExperimentData(config));
  const prepared = await prepareGuide({
    backend,
    config,
    splits,
    guideCache: options.guideCache,
    plugins: options.plugins,
    folder,
    resume: options.resume ?? false,
    ...(observer ? { observer } : {}),
    loggers: options.loggers,
    signal,
  });
  observer?.message?.(describeGuide(prepared));
  const guideScores = await scoreModel(backend, prepared.guide, splits, { signal, progress: observer?.scoring });
  const arms: ArmResult[] = [await runArm("guided", options, splits, prepared)];
  // inspections of the student alone compare it with the guide, too
  if (config.inspectEvery === null) prepared.guide.close();
  if (config.baseline) arms.push(await runArm("unguided", options, splits, prepared));
  prepared.guide.close();
  const result = {
    arms,
    guide: { ...guideScores, origin: prepared.origin },
    adapter: backend.name,
    badImages: countBadImages(splits),
  };
  await writeSealed(join(folder, "summary.json"), SUMMARY_FORMAT, result as unknown as JsonObject);
  return result;
}

function describeGuide({ origin, file }: PreparedGuide): string {
  if (origin === "random") return "guide: random weights";
  if (origin === "file") return `guide: weights of "${file}"`;
  return origin === "cached" ? `guide: trained before, from "${file}"` : `guide: trained now, kept in "${file}"`;
}

/** Trains one arm and scores it on the test split. */
async function runArm(
  arm: ArmResult["arm"],
  options: ExperimentOptions,
  splits: SourceSplits,
  prepared: PreparedGuide,
): Promise<ArmResult> {
  const { backend, config, observer, loggers, resume, checkpoint, signal } = options;
  const description = config as unknown as JsonObject;
  const folder = join(options.folder, arm);
  const { model, generator } = buildStudent(config, splits);
  const guided = arm === "guided";
  const watched = guided || config.inspectEvery === null ? undefined : buildGuidance(config, prepared.guide);
  const task = { ...studentTask(config, splits, model, guided ? prepared.guide : undefined), watched };
  const { optimizer, scaler } = task;
  // a guide that is only watched sees the same noise each time, also after a resume
  if (watched) prepared.generator.counter = 0;
  const generators = guided || watched ? [generator, prepared.generator] : [generator];
  const open = await openArm(
    folder,
    { model, optimizer, scaler, generators },
    { backend, resume, checkpoint, observer, loggers, config: description },
  );
  try {
    const progress = await fit({
      arm,
      backend,
      task,
      generators,
      splits,
      config,
      description,
      ...open.options,
      signal,
    });
    const test = await scoreModel(backend, model, splits, { signal, progress: observer?.scoring });
    const secondsPerStep = progress.seconds / Math.max(1, progress.step);
    const result: ArmResult = { arm, steps: progress.step, secondsPerStep, test, testAtBest: null, bestStep: null };
    open.log.end?.(result);
    if (progress.best === null) return result;
    const { step: bestStep } = await loadWeights(folder, "best", model);
    return {
      ...result,
      testAtBest: await scoreModel(backend, model, splits, { signal, progress: observer?.scoring }),
      bestStep,
    };
  } finally {
    await open.close();
    optimizer.close();
    model.close();
  }
}
