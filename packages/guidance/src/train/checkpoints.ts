/**
 * The checkpoints of one network in training: `last`, `best`, and on demand the best few by validation loss, `top-<step>`.
 * Each is written whole; those that are no longer among the best go after that.
 */
import { readdir } from "node:fs/promises";
import { removeCheckpoint } from "../run/checkpoint.ts";
import { RunError } from "../run/errors.ts";
import type { JsonObject } from "../run/json.ts";
import { systemReason } from "../system-error.ts";
import { type Progress, type RankedStep, saveProgress, type Trained } from "./state.ts";

export interface CheckpointsOptions {
  readonly arm: string;
  readonly folder: string;
  readonly trained: Trained;
  /** Stored with each. */
  readonly description: JsonObject;
  /** How many of the best by validation loss are kept beside `best`. */
  readonly keepTop: number;
  /** Step of the checkpoint the run goes on from, if it does. */
  readonly savedStep: number | undefined;
}

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  /** Step of the last checkpoint on the disk, if there is one. */
  savedStep: number | undefined;

  constructor(options: CheckpointsOptions) {
    this.#options = options;
    this.savedStep = options.savedStep;
  }

  /** Which step to go back to, for messages; "" while there is none. */
  get standing(): string {
    return this.savedStep === undefined
      ? ""
      : `; the checkpoint of step ${this.savedStep} in "${this.#options.folder}" stands`;
  }

  /** The best `keepTop` of those ranked before and the step that was validated now. */
  rank(before: readonly RankedStep[], { step, loss }: RankedStep): readonly RankedStep[] {
    if (!Number.isFinite(loss)) return before;
    return [...before, { step, loss }].sort((a, b) => a.loss - b.loss).slice(0, this.#options.keepTop);
  }

  /** Saves `progress` and the tensors the networks have under each name, `last` being one; drops what ranks no more. */
  async save(names: readonly string[], progress: Progress): Promise<void> {
    const { arm, folder, trained, description } = this.#options;
    try {
      await saveProgress(folder, names, trained, progress, description);
      await this.#dropUnranked(progress.top);
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      throw new RunError({
        what: `training ${arm}, step ${progress.step}`,
        facts: `cannot save in "${folder}" (${systemReason(error)})${this.standing}`,
        hint: "Make room or give access there, then go on with guidance train --resume",
      });
    }
    this.savedStep = progress.step;
  }

  async #dropUnranked(top: readonly RankedStep[]): Promise<void> {
    const { folder } = this.#options;
    const ranked = new Set(top.map(({ step }) => topName(step)));
    for (const file of await readdir(folder)) {
      const name = /^(top-\d+)\.json$/.exec(file)?.[1];
      if (name !== undefined && !ranked.has(name)) await removeCheckpoint(folder, name);
    }
  }
}

/** The name of the checkpoint of a step that ranks among the best. */
export const topName = (step: number): string => `top-${step}`;
