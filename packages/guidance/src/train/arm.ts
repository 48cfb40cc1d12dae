/** The folder of one trained network: where a run of it goes on, and the record of what happens. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { Backend } from "@guidance/tensor";
import { combineLoggers, type Logger, type OpenLogger } from "../log/logger.ts";
import { copyCheckpoint } from "../run/checkpoint.ts";
import { RunError } from "../run/errors.ts";
import { makeFolder, removeLeftovers } from "../run/files.ts";
import type { JsonObject } from "../run/json.ts";
import { dropMetricsAfter, MetricsWriter, readMetrics } from "../run/metrics.ts";
import { openCheckpoint } from "../run/open-checkpoint.ts";
import type { FitOptions } from "./fit.ts";
import type { Observer } from "./observer.ts";
import { loadProgress, type Trained } from "./state.ts";

/** The files of one arm, open for writing. */
export interface ArmFolder {
  /** What `fit` is told. */
  readonly options: Pick<FitOptions, "folder" | "start" | "observer">;
  /** Told by the caller what the network came to. */
  readonly log: Logger;
  /** Closes the record and the loggers. */
  close(): Promise<void>;
}

/** Loggers by name. */
export type Loggers = ReadonlyMap<string, OpenLogger>;

/** Whether an arm begins or goes on, and who is told. */
export interface ArmOptions {
  /** Where the Variables of a run that goes on will live. */
  readonly backend: Backend;
  /** Goes on from the `last` checkpoint, where there is one. */
  readonly resume?: boolean | undefined;
  /** The checkpoint that takes the place of `last` where that is damaged. */
  readonly checkpoint?: string | undefined;
  readonly observer?: Observer | undefined;
  readonly loggers?: Loggers | undefined;
  /** The configuration of the run, for loggers. */
  readonly config: JsonObject;
}

/** Opens `folder`, made if need be: loads the last checkpoint into `trained` and goes on with `metrics.jsonl` from there. */
export async function openArm(
  folder: string,
  trained: Trained,
  { backend, resume = false, checkpoint, observer, loggers = new Map(), config }: ArmOptions,
): Promise<ArmFolder> {
  await makeFolder(folder);
  if (resume) await removeLeftovers(folder);
  const metrics = join(folder, "metrics.jsonl");
  if (resume && checkpoint !== undefined && checkpoint !== "last") await replaceDamaged(folder, checkpoint, observer);
  const start =
    resume && existsSync(join(folder, "last.json"))
      ? await loadProgress(folder, "last", trained, backend).catch((error) => adviseOnLast(folder, error))
      : undefined;
  // -1: a score before the first step is a record of step 0
  if (resume) await dropMetricsAfter(metrics, start?.step || -1);
  const writer = new MetricsWriter(metrics);
  const known = readMetrics(metrics).some(({ kind }) => kind === "layers");
  const warn = (line: string) => observer?.warning?.(`warning: ${line}`);
  const log = combineLoggers(loggers, { folder, arm: basename(folder), config, step: start?.step ?? 0, warn });
  const options = { folder, observer: recording(observer, writer, known, log), ...(start ? { start } : {}) };
  const close = async () => {
    await log.close();
    writer.close();
  };
  return { options, log, close };
}

/** Puts checkpoint `name` in the place of `last`, where that is damaged or missing, and says so. */
async function replaceDamaged(folder: string, name: string, observer: Observer | undefined): Promise<void> {
  const hasOne = [name, "last"].map((each) => existsSync(join(folder, `${each}.json`)));
  if (!hasOne.includes(true)) return;
  try {
    await (await openCheckpoint(folder, "last")).close();
    observer?.message?.(`note: checkpoint "last" of "${folder}" is sound: the run goes on from it`);
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    // known to be whole before anything is replaced
    const { state, close } = await openCheckpoint(folder, name);
    await close();
    await copyCheckpoint(folder, name, "last");
    observer?.message?.(`note: "last" of "${folder}" is damaged: the run goes on from "${name}", step ${state.step}`);
  }
}

/** The error of a `last` checkpoint that cannot be used, with what helps where a run is resumed. */
async function adviseOnLast(folder: string, error: unknown): Promise<never> {
  if (!(error instanceof RunError)) throw error;
  const hasBest = existsSync(join(folder, "best.json"));
  const anew = `remove "${join(folder, "last.json")}" to train this network anew`;
  const hint = hasBest ? `Go on from another with --checkpoint best, or ${anew}` : `To go on, ${anew}`;
  throw new RunError({ ...error.parts, hint });
}

/** The observer, with every step and validation also written down, and on the disk before a checkpoint is. */
function recording(
  observer: Observer | undefined,
  writer: MetricsWriter,
  known: boolean,
  log: Required<Logger>,
): Observer {
  let named = known;
  return {
    ...observer,
    planned(arm, step) {
      // once, whatever is compiled later: the pairs of a network are the same all along
      if (!named && step.layers.length > 0) writer.write({ kind: "layers", arm, layers: [...step.layers] });
      named ||= step.layers.length > 0;
      if (step.layers.length > 0) log.layers(step.layers);
      observer?.planned?.(arm, step);
    },
    inspection(event) {
      const { similarities, gradients } = event;
      writer.write({ kind: "inspection", ...event, similarities: [...similarities], gradients: [...gradients] });
      log.inspection(event);
      observer?.inspection?.(event);
    },
    step(event) {
      const { similarities, ...rest } = event;
      writer.write({ kind: "step", ...rest, similarities: similarities.map(shortened) });
      log.step(event);
      observer?.step?.(event);
    },
    validation(event) {
      writer.write({ kind: "validation", ...event });
      log.validation(event);
      observer?.validation?.(event);
    },
    saving() {
      writer.flush();
      log.saving();
      observer?.saving?.();
    },
  };
}

/** Enough digits of a similarity to draw it; a line has dozens. */
const shortened = (value: number): number => (Number.isFinite(value) ? Number(value.toFixed(5)) : value);
