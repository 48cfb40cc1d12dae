/**
 * What can be known to fail before anything long begins: names, batch sizes, classes, and the shapes of both
 * networks and their similarity. Tensors are descriptions, so a forward pass costs no device and no memory.
 */
import { DataError } from "../data/errors.ts";
import { transforms } from "../data/images/transforms.ts";
import { loadDataset } from "../data/registry.ts";
import { closeSplits, type SourceSplits } from "../data/source.ts";
import { similarities } from "../method/similarity.ts";
import { guides, students } from "../models/registry.ts";
import { checkNetworks } from "./check-networks.ts";
import type { TrainConfig } from "./config.ts";

/** The data a configuration names, once all of it is known to fit together; `say` is told what a user should know of them. */
export async function loadExperimentData(config: TrainConfig, say?: (line: string) => void): Promise<SourceSplits> {
  checkNames(config);
  const splits = await loadConfigData(config, say);
  try {
    checkExperiment(config, splits);
  } catch (error) {
    await closeSplits(splits);
    throw error;
  }
  return splits;
}

/** The data a configuration names, whatever networks they are for. */
export function loadConfigData(config: TrainConfig, say?: (line: string) => void): Promise<SourceSplits> {
  const { dataset, dataFolder, synthetic, seed } = config;
  const { size, workers, onBad, trainTransform, transform } = config.images;
  return loadDataset(dataset, {
    images: {
      size,
      trainTransform,
      transform,
      ...(workers === null ? {} : { workers }),
      onBadImage: onBad,
      seed,
    },
    ...(say ? { say } : {}),
    ...(dataFolder === null ? {} : { folder: dataFolder }),
    ...(synthetic === null ? {} : { synthetic }),
  });
}

function checkNames(config: TrainConfig): void {
  students.get(config.student.name);
  guides.get(config.guide.name);
  similarities.get(config.similarity);
  transforms.get(config.images.trainTransform);
  transforms.get(config.images.transform);
}

/** Throws, naming what does not fit, unless `config` can be trained on `splits`. */
export function checkExperiment(config: TrainConfig, splits: SourceSplits): void {
  checkClasses(config, splits);
  checkBatch("batch", config.batchSize, config.lastBatch, splits);
  checkParts(config, splits);
  const { steps, weights, batchSize } = config.guide;
  if (weights === null && steps > 0) checkBatch("guide's batch", batchSize, "drop", splits);
  checkNetworks(config, splits);
}

function checkClasses({ classes }: TrainConfig, { train }: SourceSplits): void {
  if (classes === null || classes >= train.classes) return;
  throw new DataError({
    what: "classes",
    facts: `the networks have ${classes} outputs and "${train.name}" has ${train.classes} classes`,
    expected: `at least ${train.classes} outputs`,
  });
}

function checkBatch(
  name: string,
  batchSize: number,
  lastBatch: TrainConfig["lastBatch"],
  { train }: SourceSplits,
): void {
  if (batchSize > train.count) {
    throw new DataError({
      what: name,
      facts: `it has ${batchSize} images and "${train.name}" has ${train.count}`,
      expected: "a batch no larger than the data set",
      hint: `Take at most ${train.count}`,
    });
  }
  if (lastBatch === "keep" && train.count % batchSize === 1) {
    throw new DataError({
      what: name,
      facts: `of ${train.count} images in batches of ${batchSize} the last batch keeps one, which has no variance`,
      expected: "a last batch of at least 2 images",
      hint: "Take another batch size, or drop the last batch",
    });
  }
}

/** The parts of a batch are equal, and have at least the two images that a variance needs. */
function checkParts({ accumulate, batchSize, lastBatch }: TrainConfig, { train }: SourceSplits): void {
  if (accumulate === 1) return;
  const rest = lastBatch === "keep" ? train.count % batchSize : 0;
  for (const size of rest > 0 ? [batchSize, rest] : [batchSize]) {
    if (size % accumulate === 0 && size / accumulate >= 2) continue;
    throw new DataError({
      what: "accumulate",
      facts: `a batch of ${size} images cannot be computed in ${accumulate} equal parts of at least 2`,
      expected: "parts that divide the batch",
      hint: size === rest ? "Drop the short last batch, or take another batch size" : "Take another batch size",
    });
  }
}
