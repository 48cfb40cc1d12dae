/** Experiments small enough to run in about a second on the CPU, in folders of their own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, cpuBackend } from "@guidance/tensor";
import { afterAll } from "vitest";
import type { JsonObject } from "../run/json.ts";
import { readMetrics } from "../run/metrics.ts";
import { checkConfig, defaultConfig, notebookConfig, type TrainConfig } from "./config.ts";
import { type ExperimentOptions, type ExperimentResult, runExperiment } from "./experiment.ts";

const synthetic = { channels: 1, height: 8, width: 8, classes: 4, train: 40, validation: 12, test: 12 };
const guide = { baseWidth: 2, steps: 2, batchSize: 8 };

/** Some steps of the default preset with dropout, on few small images. */
export const smallConfig: TrainConfig = checkConfig({
  ...defaultConfig,
  dataset: "synthetic",
  synthetic,
  batchSize: 16,
  steps: 6,
  validateEvery: 4,
  student: { ...defaultConfig.student, layers: 4, firstWidth: 6, width: 6, dropout: 0.3 },
  guide: { ...defaultConfig.guide, ...guide },
});

/** The preset `notebook` with small images, networks and batches and few epochs; nothing else is changed. */
export const smallNotebookConfig: TrainConfig = checkConfig({
  ...notebookConfig,
  synthetic: { ...notebookConfig.synthetic, ...synthetic, channels: 3 },
  classes: 7,
  batchSize: 16,
  epochs: 3,
  decayEvery: 1,
  student: { ...notebookConfig.student, layers: 5, firstWidth: 8, width: 6 },
  guide: { ...notebookConfig.guide, baseWidth: 2 },
});

/** A folder for runs that is gone after the tests of a file. */
export function runsFolder(): { fresh(): string; readonly cache: string } {
  const root = mkdtempSync(join(tmpdir(), "guidance-runs-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return { fresh: () => mkdtempSync(join(root, "run-")), cache: join(root, "guides") };
}

/** Runs an experiment on a CPU backend that is closed afterwards. */
export async function runSmall(
  options: Omit<ExperimentOptions, "backend"> & { readonly backend?: Backend },
): Promise<ExperimentResult> {
  const backend = options.backend ?? cpuBackend();
  try {
    return await runExperiment({ ...options, backend });
  } finally {
    await backend.close();
  }
}

/** Records of a run without the times. */
export const metrics = (folder: string, arm: string): JsonObject[] =>
  readMetrics(join(folder, arm, "metrics.jsonl")).map(({ seconds: _seconds, dataSeconds: _data, ...record }) => record);
