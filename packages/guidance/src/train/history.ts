/** A run as its folder tells it, finished or not: for reports, plots and the dashboard. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { JsonObject } from "../run/json.ts";
import { readMetrics } from "../run/metrics.ts";
import { readSealed } from "../run/sealed.ts";
import { type ExperimentResult, SUMMARY_FORMAT } from "./experiment.ts";
import type { InspectionEvent, StepEvent, ValidationEvent } from "./observer.ts";
import type { PairNames } from "./step.ts";

/** Networks that a run trains, in order. */
export const ARMS = ["guide", "guided", "unguided"] as const;
/** One of {@link ARMS}. */
export type ArmName = (typeof ARMS)[number];

/** The record of one network. */
export interface ArmHistory {
  readonly arm: ArmName;
  /** Pairs whose similarity each step tells, in its order. */
  readonly layers: readonly PairNames[];
  readonly steps: readonly StepEvent[];
  readonly validations: readonly ValidationEvent[];
  readonly inspections: readonly InspectionEvent[];
}

/** What the folder of a run records. */
export interface RunHistory {
  readonly folder: string;
  /** Those that have begun. */
  readonly arms: readonly ArmHistory[];
  /** Absent while the run is not finished. */
  readonly summary: ExperimentResult | undefined;
}

/** What `metrics.jsonl` records, by kind. */
export function armHistory(arm: ArmName, records: readonly JsonObject[]): ArmHistory {
  const of = <T>(kind: string) => records.filter((record) => record.kind === kind) as unknown as T[];
  const layers = of<{ layers: readonly PairNames[] }>("layers").at(-1)?.layers ?? [];
  return { arm, layers, steps: of("step"), validations: of("validation"), inspections: of("inspection") };
}

/** The run in `folder`; throws RunError, naming file and line, where one is damaged. */
export async function readHistory(folder: string): Promise<RunHistory> {
  const arms: ArmHistory[] = [];
  for (const arm of ARMS) {
    const path = join(folder, arm, "metrics.jsonl");
    if (existsSync(path)) arms.push(armHistory(arm, readMetrics(path)));
  }
  const path = join(folder, "summary.json");
  const summary = existsSync(path) ? await readSealed(path, SUMMARY_FORMAT) : undefined;
  return { folder, arms, summary: summary as unknown as ExperimentResult | undefined };
}

/** Folders of runs in `root`, the newest name first: those with a configuration. */
export async function listRuns(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const runs = await Promise.all(
    folders.map(async (name) => (existsSync(join(root, name, "config.json")) ? [name] : [])),
  );
  return runs.flat().sort().reverse();
}
