/**
 * What can be known to fail before anything long begins: names, batch sizes, classes, and the shapes of both
 * networks and their similarity. Tensors are descriptions, so a forward pass costs no device and no memory.
 */
import { constant, formatShape, ShapeError, ValueError } from "@guidance/tensor";
import { DataError } from "../data/errors.ts";
import { loadDataset } from "../data/registry.ts";
import { closeSplits, type SourceSplits } from "../data/source.ts";
import { observe } from "../features/observe.ts";
import { alignment } from "../method/loss.ts";
import { similarities } from "../method/similarity.ts";
import { guides, students } from "../models/registry.ts";
import { type BuiltNetwork, buildGuide, buildStudent, imageTask } from "./build.ts";
import type { TrainConfig } from "./config.ts";

/** The data a configuration names, once all of it is known to fit together; `say` is told what a user should know of them. */
export async function loadExperimentData(config: TrainConfig, say?: (line: string) => void): Promise<SourceSplits> {
  checkNames(config);
  const { size, workers, onBad } = config.images;
  const splits = await loadDataset(config.dataset, {
    images: { size, ...(workers === null ? {} : { workers }), onBadImage: onBad, seed: config.seed },
    ...(say ? { say } : {}),
    ...(config.dataFolder === null ? {} : { folder: config.dataFolder }),
    ...(config.synthetic === null ? {} : { synthetic: config.synthetic }),
  });
  try {
    checkExperiment(config, splits);
  } catch (error) {
    await closeSplits(splits);
    throw error;
  }
  return splits;
}

function checkNames(config: TrainConfig): void {
  students.get(config.student.name);
  guides.get(config.guide.name);
  similarities.get(config.similarity);
}

/** Throws, naming what does not fit, unless `config` can be trained on `splits`. */
export function checkExperiment(config: TrainConfig, splits: SourceSplits): void {
  checkClasses(config, splits);
  checkBatch("batch", config.batchSize, config.lastBatch, splits);
  checkParts(config, splits);
  if (config.guide.steps > 0) checkBatch("guide's batch", config.guide.batchSize, "drop", splits);
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

/** One forward pass of both networks on shapes alone. */
function checkNetworks(config: TrainConfig, splits: SourceSplits): void {
  const { channels, height, width, classes } = imageTask(config, splits);
  const { batchSize } = config;
  const images = constant(0).broadcast([batchSize, channels, height, width]);
  const observed = (role: string, { model }: BuiltNetwork) => {
    const observation = observe(model.eval(), images);
    const { shape } = observation.output;
    if (shape.length !== 2 || shape[0] !== batchSize || shape[1] !== classes) {
      throw new ShapeError({
        what: role,
        facts: `images ${formatShape(images.shape)} become ${formatShape(shape)}`,
        expected: `logits ${formatShape([batchSize, classes])}`,
        hint: `The networks get ${channels * height * width} values an image and give one logit a class`,
      });
    }
    return observation.features;
  };
  const guide = observed("guide", buildGuide(config, splits));
  const student = observed("student", buildStudent(config, splits));
  const { terms, pairs } = alignment(guide, student, similarities.get(config.similarity));
  const wrong = terms.findIndex(({ rank }) => rank !== 0);
  if (wrong < 0) return;
  const { guide: target, student: learner } = pairs[wrong];
  throw new ValueError({
    what: `similarity "${config.similarity}"`,
    facts: `of "${learner.path}" ${formatShape(learner.tensor.shape)} and "${target.path}" ${formatShape(target.tensor.shape)} it is ${formatShape(terms[wrong].shape)}`,
    expected: "a scalar, shape []",
    hint: "Reduce over all axes",
  });
}
