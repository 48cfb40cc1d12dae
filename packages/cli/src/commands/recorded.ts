/** Runs as their folders tell them, finished or not, for what shows them. */
import { basename, resolve } from "node:path";
import { type JsonObject, readHistory } from "@guidance/guidance";
import type { FigureRun } from "../figures/figure-run.ts";
import { readRun, readStarts } from "./run.ts";

export interface RecordedRun extends FigureRun {
  /** As it was named. */
  readonly folder: string;
  /** What it ran on: one record for the start and each time it was resumed. */
  readonly starts: readonly JsonObject[];
}

/** The runs in `folders`; throws RunError, naming file and line, for what is missing or damaged. */
export async function readRuns(folders: readonly string[]): Promise<RecordedRun[]> {
  const names = folders.map((folder) => basename(resolve(folder)));
  const runs: RecordedRun[] = [];
  for (const [i, folder] of folders.entries()) {
    const { config } = await readRun(folder);
    // two runs of one name are told apart by where they are
    const isOnly = names.filter((name) => name === names[i]).length === 1;
    const history = await readHistory(folder);
    runs.push({ folder, name: isOnly ? names[i] : folder, config, history, starts: await readStarts(folder) });
  }
  return runs;
}
