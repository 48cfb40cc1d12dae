/**
 * Experiment: the whole job of `guidance train`. Data, guide, the guided student, then the same student from
 * the same weights and batches without guide; test scores at the end, touched once.
 */
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Backend, Generator, optim } from "@guidance/tensor";
import type { DatasetSplits } from "../data/dataset.ts";
import { loadDataset } from "../data/registry.ts";
import { similarities } from "../method/similarity.ts";
import { students } from "../models/registry.ts";
import { writeFileAtomic } from "../run/files.ts";
import { encodeJson, type JsonObject } from "../run/json.ts";
import { MetricsWriter } from "../run/metrics.ts";
import type { TrainConfig } from "./config.ts";
import { compileEvaluation, type Scores } from "./evaluate.ts";
import { EVALUATION_BATCH, fit, imageShape, type Observer } from "./fit.ts";
import { imageTask, type PreparedGuide, prepareGuide } from "./guide.ts";
import { loadProgress, readWeights } from "./state.ts";
import type { TrainingTask } from "./step.ts";

export interface ExperimentOptions {
  readonly backend: Backend;
  readonly config: TrainConfig;
  /** Folder of this run, created by the caller. */
  readonly folder: string;
  /** Folder of cached guides. */
  readonly guideCache: string;
  readonly observer?: Observer;
  readonly signal?: AbortSignal | undefined;
  /** Goes on from the `last` checkpoint of each arm, where there is one. */
  readonly resume?: boolean;
}

/** Test scores of one trained network. */
export interface ArmResult {
  readonly arm: "guided" | "unguided";
  readonly steps: number;
  readonly secondsPerStep: number;
  /** With the last weights. */
  readonly test: Scores;
  /** With the weights of the lowest validation loss. */
  readonly testAtBest: Scores;
  readonly bestStep: number;
}

export interface ExperimentResult {
  readonly arms: readonly ArmResult[];
  /** The guide's own test scores, in evaluation mode. */
  readonly guide: Scores & { readonly origin: PreparedGuide["origin"] };
  readonly adapter: string;
}

export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const { backend, config, observer } = options;
  const splits = await loadDataset(config.dataset, {
    ...(config.dataFolder === null ? {} : { folder: config.dataFolder }),
    ...(config.synthetic === null ? {} : { synthetic: config.synthetic }),
  });
  const prepared = await prepareGuide({
    backend,
    config,
    splits,
    cache: options.guideCache,
    ...(observer ? { observer } : {}),
    signal: options.signal,
  });
  const guideScores = await scores(backend, prepared.guide, splits);
  const arms: ArmResult[] = [await runArm("guided", options, splits, prepared)];
  if (config.baseline) arms.push(await runArm("unguided", options, splits));
  prepared.guide.close();
  const result = { arms, guide: { ...guideScores, origin: prepared.origin }, adapter: backend.name };
  await writeFileAtomic(join(options.folder, "summary.json"), `${encodeJson(result as unknown as JsonObject, 2)}\n`);
  return result;
}

/** Test scores of a network; leaves its mode as it was. */
async function scores(backend: Backend, model: PreparedGuide["guide"], splits: DatasetSplits): Promise<Scores> {
  const evaluator = await compileEvaluation(
    backend,
    model,
    imageShape(splits),
    Math.min(EVALUATION_BATCH, splits.test.count),
  );
  try {
    return await evaluator.run(splits.test);
  } finally {
    evaluator.close();
  }
}

/** Trains one arm and scores it on the test split. */
async function runArm(
  arm: ArmResult["arm"],
  options: ExperimentOptions,
  splits: DatasetSplits,
  prepared?: PreparedGuide,
): Promise<ArmResult> {
  const { backend, config, signal } = options;
  const folder = join(options.folder, arm);
  const generator = new Generator(config.seed);
  const model = students
    .get(config.student.name)({ ...imageTask(config, splits), generator }, config.student)
    .named("student");
  const optimizer = new optim.Adam(model.parameters(), { learningRate: config.learningRate });
  const guidance = prepared && {
    guide: prepared.guide,
    similarity: similarities.get(config.similarity),
    alpha: () => config.alpha,
    forwards: config.forwards,
  };
  const task: TrainingTask = { model, optimizer, guidance, imageShape: imageShape(splits) };
  const trained = { model, optimizer, generator };
  const start =
    options.resume && (await exists(join(folder, "last.json")))
      ? await loadProgress(folder, "last", trained)
      : undefined;
  const writer = await openMetrics(folder);
  try {
    const progress = await fit({
      arm,
      backend,
      task,
      generator,
      splits,
      config,
      folder,
      description: config as unknown as JsonObject,
      ...(start ? { start } : {}),
      observer: recording(options.observer, writer),
      signal,
    });
    const test = await scores(backend, model, splits);
    const best = await readWeights(folder, "best");
    model.loadStateDict(best.weights);
    const testAtBest = await scores(backend, model, splits);
    const bestStep = progress.best?.step ?? progress.step;
    return {
      arm,
      steps: progress.step,
      secondsPerStep: progress.seconds / Math.max(1, progress.step),
      test,
      testAtBest,
      bestStep,
    };
  } finally {
    writer.close();
    optimizer.close();
    model.close();
  }
}

/** The observer, with every step and validation also written to `metrics.jsonl`. */
function recording(observer: Observer | undefined, writer: MetricsWriter): Observer {
  return {
    ...observer,
    step(event) {
      writer.write({ kind: "step", ...event });
      observer?.step?.(event);
    },
    validation(event) {
      writer.write({ kind: "validation", ...event });
      observer?.validation?.(event);
    },
  };
}

async function openMetrics(folder: string): Promise<MetricsWriter> {
  await mkdir(folder, { recursive: true });
  return new MetricsWriter(join(folder, "metrics.jsonl"));
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
