/** The files of a run that belong to the command: its configuration, and on what it was run. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { cpus, totalmem } from "node:os";
import { join, relative } from "node:path";
import {
  checkConfig,
  checkRunFolder,
  decodeJson,
  encodeJson,
  type JsonObject,
  RunError,
  type TrainConfig,
  writeFileAtomic,
} from "@guidance/guidance";
import type { Opened } from "../device.ts";
import { type Choices, toChoices } from "../tuning.ts";

/** Everything needed to build a run's networks and data again. */
export interface StoredRun {
  readonly config: TrainConfig;
  /** Absolute paths of the plugins it was started with. */
  readonly plugins: readonly string[];
  /** Folder of the guides it shares with other runs. */
  readonly guides: string;
  /** The kernels it was started with, where tuning chose some; a resumed run takes the same. */
  readonly choices?: Choices;
}

const CONFIG = "config.json";
const ENVIRONMENT = "environment.json";

async function readJson(folder: string, name: string): Promise<JsonObject> {
  const path = join(folder, name);
  try {
    return decodeJson(await readFile(path, "utf8")) as JsonObject;
  } catch (error) {
    throw new RunError({
      what: "run",
      facts: `cannot read "${path}" (${(error as Error).message})`,
      expected: "the folder of a run of guidance train",
      hint: "Check the path",
    });
  }
}

/** What the run in `folder` was started with. */
export async function readRun(folder: string): Promise<StoredRun> {
  await checkRunFolder(folder);
  const config = checkConfig(await readJson(folder, CONFIG));
  const { plugins, guides, choices } = await readJson(folder, ENVIRONMENT);
  return {
    config,
    plugins: plugins as string[],
    guides: join(folder, guides as string),
    choices: toChoices(choices),
  };
}

/** Writes what a new run is started with. */
export async function writeRun(folder: string, { config, plugins, guides }: StoredRun, opened: Opened): Promise<void> {
  await writeJson(folder, CONFIG, config as unknown as JsonObject);
  // relative, so that all runs can be moved together
  const shared = relative(folder, guides);
  const choices = Object.fromEntries(opened.webgpu?.traits.choices ?? []);
  await writeJson(folder, ENVIRONMENT, { plugins, guides: shared, choices, starts: [environment(opened)] });
}

/** Adds to the record of a run that it was resumed, and on what. */
export async function recordResume(folder: string, opened: Opened): Promise<void> {
  const { starts, ...rest } = await readJson(folder, ENVIRONMENT);
  await writeJson(folder, ENVIRONMENT, { ...rest, starts: [...(starts as JsonObject[]), environment(opened)] });
}

/** Name of the backend that the run was last started on. */
export async function lastAdapter(folder: string): Promise<string> {
  const { starts } = await readJson(folder, ENVIRONMENT);
  return String((starts as JsonObject[]).at(-1)?.adapter);
}

function writeJson(folder: string, name: string, value: JsonObject): Promise<void> {
  return writeFileAtomic(join(folder, name), `${encodeJson(value, 2)}\n`);
}

function environment({ backend, webgpu }: Opened): JsonObject {
  return {
    time: new Date().toISOString(),
    arguments: process.argv.slice(2),
    adapter: backend.name,
    device: webgpu?.opened.kind ?? "cpu",
    features: [...(webgpu?.opened.features ?? [])],
    node: process.version,
    dawn: dawnVersion() ?? null,
    platform: `${process.platform} ${process.arch}`,
    cores: cpus().length,
    memoryBytes: totalmem(),
  };
}

/** Version of the npm package that brings Dawn, if it is installed. */
export function dawnVersion(): string | undefined {
  try {
    const shaders = createRequire(import.meta.url).resolve("@guidance/shaders");
    return createRequire(shaders)("webgpu/package.json").version;
  } catch {
    return undefined;
  }
}
