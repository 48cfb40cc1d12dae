/** The files of a run that belong to the command: its configuration, and on what it was run. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, totalmem } from "node:os";
import { join, relative } from "node:path";
import {
  checkConfig,
  checkRunFolder,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  RunError,
  readSealed,
  type SealFormat,
  type SourceSplits,
  type TrainConfig,
  writeRunData,
  writeSealed,
} from "@guidance/guidance";
import type { Opened } from "../device.ts";
import { hashPlugins } from "../plugins.ts";
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
const HINT = "Restore it, or start a new run";
const CONFIG_FORMAT: SealFormat = { name: "configuration of a run", version: 1, hint: HINT };
const ENVIRONMENT_FORMAT: SealFormat = { name: "environment of a run", version: 1, hint: HINT };

/** What `environment.json` holds. */
interface Environment {
  readonly plugins: readonly string[];
  /** Relative to the folder of the run. */
  readonly guides: string;
  readonly choices: Choices;
  /** One record for the start and each time it was resumed. */
  readonly starts: readonly JsonObject[];
}

async function readEnvironment(folder: string): Promise<Environment> {
  const value = await readSealed(join(folder, ENVIRONMENT), ENVIRONMENT_FORMAT);
  const { plugins, guides, starts } = value;
  const broken = (facts: string) =>
    new RunError({
      what: ENVIRONMENT_FORMAT.name,
      facts: `"${join(folder, ENVIRONMENT)}" ${facts}`,
      expected: "the file as guidance train wrote it",
      hint: HINT,
    });
  if (!isListOf(plugins, (plugin) => typeof plugin === "string")) throw broken("has no list of paths as `plugins`");
  if (typeof guides !== "string") throw broken("has no path as `guides`");
  if (!isListOf(starts, isJsonObject)) throw broken("has no list of records as `starts`");
  try {
    return { plugins, guides, choices: toChoices(value.choices), starts };
  } catch {
    throw broken("has no table of names as `choices`");
  }
}

function isListOf<T extends JsonValue>(
  value: JsonValue | undefined,
  isItem: (item: JsonValue) => item is T,
): value is readonly T[] {
  return Array.isArray(value) && value.every(isItem);
}

/** The configuration of a run; one of another version lacks fields, for which there are no options now. */
async function readConfig(folder: string): Promise<TrainConfig> {
  const value = await readSealed(join(folder, CONFIG), CONFIG_FORMAT);
  try {
    return checkConfig(value);
  } catch (error) {
    throw new RunError({
      what: CONFIG_FORMAT.name,
      facts: `"${join(folder, CONFIG)}" does not fit this version (${(error as Error).message})`,
      expected: "the configuration as this version of guidance train writes it",
      hint: "Use the version that the run was started with, or start a new run",
    });
  }
}

/** Throws RunError unless `folder` is that of a run. */
export async function checkRun(folder: string): Promise<void> {
  await checkRunFolder(folder);
  if (existsSync(join(folder, CONFIG))) return;
  throw new RunError({
    what: "run",
    facts: `"${folder}" is no run of guidance train: it has no ${CONFIG}`,
    expected: "the folder of an earlier run",
    hint: "Check the path: runs lie in ./runs, unless --out or --folder said otherwise",
  });
}

/** What the run in `folder` was started with. */
export async function readRun(folder: string): Promise<StoredRun> {
  await checkRun(folder);
  const config = await readConfig(folder);
  const { plugins, guides, choices } = await readEnvironment(folder);
  return { config, plugins, guides: join(folder, guides), choices };
}

/** Writes what a new run is started with. */
export async function writeRun(
  folder: string,
  { config, plugins, guides }: StoredRun,
  splits: SourceSplits,
  opened: Opened,
): Promise<void> {
  await writeSealed(join(folder, CONFIG), CONFIG_FORMAT, config as unknown as JsonObject);
  // images of a folder were cropped for evaluation, those of a set of thumbnails never
  await writeRunData(folder, splits, config.dataset === "folder" ? "crop" : "resize");
  // relative, so that all runs can be moved together
  const shared = relative(folder, guides);
  const choices = Object.fromEntries(opened.webgpu?.traits.choices ?? []);
  await writeEnvironment(folder, { plugins, guides: shared, choices, starts: [await environment(opened, plugins)] });
}

/** Adds to the record of a run that it was resumed, and on what. */
export async function recordResume(folder: string, opened: Opened): Promise<void> {
  const { starts, ...rest } = await readEnvironment(folder);
  const choices = Object.fromEntries(rest.choices);
  const start = await environment(opened, rest.plugins);
  await writeEnvironment(folder, { ...rest, choices, starts: [...starts, start] });
}

/** What the run was started on, and each time it was resumed. */
export async function readStarts(folder: string): Promise<readonly JsonObject[]> {
  return (await readEnvironment(folder)).starts;
}

/** Name of the backend that the run was last started on. */
export async function lastAdapter(folder: string): Promise<string> {
  const starts = await readStarts(folder);
  return String(starts.at(-1)?.adapter ?? "an unknown device");
}

/** Whether the code of a run's plugins is another than when it was last started. */
export async function pluginsChanged(folder: string): Promise<boolean> {
  const { plugins, starts } = await readEnvironment(folder);
  return (starts.at(-1)?.plugins ?? null) !== ((await hashPlugins(plugins)) ?? null);
}

function writeEnvironment(folder: string, value: JsonObject): Promise<void> {
  return writeSealed(join(folder, ENVIRONMENT), ENVIRONMENT_FORMAT, value);
}

async function environment({ backend, webgpu }: Opened, plugins: readonly string[]): Promise<JsonObject> {
  return {
    time: new Date().toISOString(),
    arguments: process.argv.slice(2),
    adapter: backend.name,
    plugins: (await hashPlugins(plugins)) ?? null,
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
