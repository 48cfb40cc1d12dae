/** Runs as their folders tell them, finished or not, for what shows them. */
import { basename, resolve } from "node:path";
import { type JsonObject, RunError, readHistory } from "@guidance/guidance";
import type { FigureRun } from "../figures/figure-run.ts";
import { MOST_RUNS } from "../figures/look.ts";
import { shortNames } from "../figures/names.ts";
import { readRun, readStarts } from "./run.ts";

export interface RecordedRun extends FigureRun {
  /** As it was named. */
  readonly folder: string;
  /** What it ran on: one record for the start and each time it was resumed. */
  readonly starts: readonly JsonObject[];
}

/** The runs in `folders`; throws RunError for too many, and, naming file and line, for what is missing or damaged. */
export async function readRuns(folders: readonly string[]): Promise<RecordedRun[]> {
  if (folders.length > MOST_RUNS) {
    throw new RunError({
      what: "runs",
      facts: `there are ${folders.length} to be shown together`,
      expected: `at most ${MOST_RUNS}, so that each has a colour of its own`,
      hint: "Name fewer, or make several files with --out",
    });
  }
  const names = shortNames(folders, (folder) => basename(resolve(folder)));
  const runs: RecordedRun[] = [];
  for (const [i, folder] of folders.entries()) {
    const { config } = await readRun(folder);
    const history = await readHistory(folder);
    runs.push({ folder, name: names[i], config, history, starts: await readStarts(folder) });
  }
  return runs;
}
