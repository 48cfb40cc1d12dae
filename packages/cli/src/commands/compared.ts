/** The networks that `guidance compare` takes, by what the command line calls them. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import {
  buildGuide,
  buildStudent,
  type ComparedNetwork,
  checkCheckpoint,
  guides,
  type ImageFormat,
  imageInput,
  loadWeights,
  loadWeightsInto,
  nearestName,
  openWeights,
  readGuideRecord,
  readRunData,
  students,
  type TrainConfig,
} from "@guidance/guidance";
import { type nn, ValueError } from "@guidance/tensor";
import { guideFile } from "./export.ts";
import { readRun, type StoredRun } from "./run.ts";

export type Compared =
  /** A registered network, with weights from a seed or a file. */
  | {
      readonly kind: "network";
      readonly spec: string;
      readonly name: string;
      readonly seed?: number;
      readonly weights?: string;
    }
  /** A network of a run. */
  | {
      readonly kind: "run";
      readonly spec: string;
      readonly folder: string;
      readonly arm: "guided" | "unguided" | "guide";
      readonly checkpoint: string;
      readonly run: StoredRun;
    };

/** What specs look like, for help and errors. */
export const SPECS =
  "<network>[@seed], <network>:<weights file>, or <run folder>[:guided|unguided|guide][:last|best|top-<step>], best unless named";

/** Throws ValueError where `spec` names no registered network and no folder, RunError for a folder without that network. */
export async function parseCompared(spec: string): Promise<Compared> {
  const names = [...students.names, ...guides.names];
  const [, name, seed, weights] = /^([^@:]+)(?:@(\d+))?(?::(.+))?$/.exec(spec) ?? [];
  if (names.includes(name)) {
    return { kind: "network", spec, name, ...(seed && { seed: Number(seed) }), ...(weights && { weights }) };
  }
  const parts = /^(.*?)(?::(guided|unguided|guide))?(?::(last|best|top-\d+))?$/.exec(spec) ?? [];
  const [, folder = "", arm = "guided", checkpoint = arm === "guide" ? "last" : "best"] = parts;
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    const nearest = nearestName(name ?? spec, names);
    throw new ValueError({
      what: "model",
      facts: `there is no network and no folder "${folder}"`,
      expected: `one of ${names.join(", ")}, or the folder of a run: ${SPECS}`,
      ...(nearest === undefined ? {} : { hint: `Perhaps you meant "${nearest}"` }),
    });
  }
  const run = await readRun(folder);
  if (arm !== "guide") await checkCheckpoint(join(folder, arm), checkpoint);
  return { kind: "run", spec, folder, arm: arm as "guided", checkpoint, run };
}

/** The network, built and with its weights; a registered one for images of `format`. */
export async function buildCompared(
  compared: Compared,
  config: TrainConfig,
  format: ImageFormat,
): Promise<ComparedNetwork> {
  if (compared.kind === "run") return buildOfRun(compared);
  const { spec, name, seed = config.seed, weights } = compared;
  const splits = { train: format };
  const { model } = students.names.includes(name)
    ? buildStudent({ ...config, seed, student: { ...config.student, name } }, splits)
    : buildGuide({ ...config, seed, guide: { ...config.guide, name } }, splits);
  if (weights !== undefined) await loadFile(model, weights);
  return { name: spec, model, input: imageInput(splits) };
}

async function buildOfRun({
  spec,
  folder,
  arm,
  checkpoint,
  run,
}: Extract<Compared, { kind: "run" }>): Promise<ComparedNetwork> {
  const { format } = await readRunData(folder);
  const splits = { train: format };
  const input = imageInput(splits);
  if (arm !== "guide") {
    const { model } = buildStudent(run.config, splits);
    await loadWeights(join(folder, arm), checkpoint, model);
    return { name: spec, model, input };
  }
  const { model } = buildGuide(run.config, splits);
  // random weights are in no file and follow from the seed
  if (await readGuideRecord(folder)) await loadFile(model, await guideFile(folder));
  return { name: spec, model, input };
}

async function loadFile(model: nn.Module, path: string): Promise<void> {
  const file = await openWeights(path);
  try {
    await loadWeightsInto(model, file);
  } finally {
    await file.close();
  }
}
