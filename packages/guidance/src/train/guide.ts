/**
 * The guide: built from its own seed, trained for some steps unless it is to stay random, cached by the
 * hash of all that decides its weights, so that the same run twice trains it once.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Backend, Generator, type nn, optim, readSafetensors, writeSafetensors } from "@guidance/tensor";
import type { DatasetSplits } from "../data/dataset.ts";
import { guides } from "../models/registry.ts";
import { writeFileAtomic } from "../run/files.ts";
import type { TrainConfig } from "./config.ts";
import { fit, imageShape, type Observer } from "./fit.ts";

export interface GuideOptions {
  readonly backend: Backend;
  readonly config: TrainConfig;
  readonly splits: DatasetSplits;
  /** Folder of cached guides. */
  readonly cache: string;
  readonly observer?: Observer;
  readonly signal?: AbortSignal | undefined;
}

export interface PreparedGuide {
  readonly guide: nn.Module;
  readonly generator: Generator;
  /** Where its weights came from. */
  readonly origin: "random" | "trained" | "cached";
  /** The cached file, unless random. */
  readonly file?: string;
}

/** Seeds of guide and student differ, so that their weights are independent. */
const guideSeed = (seed: number): number => seed + 1;

/** The shape of the networks' task: the data set's, with the configured number of classes. */
export function imageTask({ classes }: TrainConfig, { train }: DatasetSplits) {
  return { channels: train.channels, height: train.height, width: train.width, classes: classes ?? train.classes };
}

/** Hash of everything that decides a trained guide's weights: settings, data, seed, kind of device. */
function guideKey(
  { config: { guide, seed, dataset, dataFolder, synthetic }, splits, backend }: GuideOptions,
  task: object,
): string {
  const { mode: _mode, ...settings } = guide;
  const data = createHash("sha256").update(splits.train.images).update(splits.train.labels).digest("hex");
  return createHash("sha256")
    .update(JSON.stringify({ settings, task, seed, dataset, dataFolder, synthetic, data, backend: backend.name }))
    .digest("hex")
    .slice(0, 16);
}

/** The guide, in the mode the configuration asks for; its Variables live on `backend` from now on. */
export async function prepareGuide(options: GuideOptions): Promise<PreparedGuide> {
  const { config, splits, cache } = options;
  const task = imageTask(config, splits);
  const generator = new Generator(guideSeed(config.seed));
  const guide = guides
    .get(config.guide.name)({ ...task, generator }, config.guide)
    .named("guide");
  const ready = (origin: PreparedGuide["origin"], file?: string): PreparedGuide => {
    guide.train(config.guide.mode === "train");
    return { guide, generator, origin, ...(file === undefined ? {} : { file }) };
  };
  if (config.guide.steps === 0) return ready("random");

  const file = join(cache, `${guideKey(options, task)}.safetensors`);
  const stored = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (stored) {
    guide.loadStateDict(readSafetensors(stored).tensors);
    return ready("cached", file);
  }
  await trainGuide(options, guide, generator);
  await mkdir(cache, { recursive: true });
  await writeFileAtomic(file, writeSafetensors(await guide.stateDict()));
  return ready("trained", file);
}

async function trainGuide(
  { backend, config, splits, observer, signal }: GuideOptions,
  guide: nn.Module,
  generator: Generator,
): Promise<void> {
  const { steps, batchSize, learningRate } = config.guide;
  const optimizer = new optim.Adam(guide.parameters(), { learningRate });
  await fit({
    arm: "guide",
    backend,
    task: { model: guide, optimizer, imageShape: imageShape(splits) },
    generator,
    splits,
    config: {
      ...config,
      seed: guideSeed(config.seed),
      steps,
      batchSize,
      learningRate,
      decayEvery: null,
      lastBatch: "drop",
    },
    ...(observer ? { observer } : {}),
    signal,
  });
  optimizer.close();
}
