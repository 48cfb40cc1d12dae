/** Scores of a network: one compiled for the purpose, or one that a run has left on the disk. */
import { join } from "node:path";
import type { Backend, nn } from "@guidance/tensor";
import type { SourceSplits } from "../data/source.ts";
import { buildStudent, imageInput } from "./build.ts";
import type { TrainConfig } from "./config.ts";
import { compileEvaluation, type Scores, type ScoringOptions } from "./evaluate.ts";
import { EVALUATION_BATCH } from "./fit.ts";
import { loadWeights } from "./state.ts";

/** Name of a part of a data set. */
export type Split = keyof SourceSplits;

/** Scores of `model` on one split; leaves its mode as it was. Throws InterruptedError when told to stop. */
export async function scoreModel(
  backend: Backend,
  model: nn.Module,
  splits: SourceSplits,
  { split = "test", ...options }: ScoringOptions & { readonly split?: Split } = {},
): Promise<Scores> {
  const batch = Math.min(EVALUATION_BATCH, splits[split].count);
  const evaluator = await compileEvaluation(backend, model, imageInput(splits), batch);
  try {
    return await evaluator.run(splits[split], options);
  } finally {
    evaluator.close();
  }
}

/** A checkpoint of a run, and the images it is scored on. */
export interface CheckpointScoreOptions {
  readonly backend: Backend;
  readonly config: TrainConfig;
  readonly splits: SourceSplits;
  /** Folder of the run. */
  readonly folder: string;
  readonly arm: "guided" | "unguided";
  /** `last`, `best`, or `top-<step>`. */
  readonly checkpoint: string;
  readonly split: Split;
  /** Told after each batch. */
  readonly progress?: ScoringOptions["progress"];
}

/** Rebuilds the student of a run and scores a checkpoint of it; errors name tensors that do not fit. */
export async function scoreCheckpoint(options: CheckpointScoreOptions): Promise<Scores & { readonly step: number }> {
  const { backend, config, splits, folder, arm, checkpoint, split, progress } = options;
  const { model } = buildStudent(config, splits);
  const { step } = await loadWeights(join(folder, arm), checkpoint, model);
  try {
    return { ...(await scoreModel(backend, model, splits, { split, progress })), step };
  } finally {
    model.close();
  }
}
