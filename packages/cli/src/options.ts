/** The options of commands that take a configuration, and the configuration that they and a file say. */
import { resolve } from "node:path";
import {
  checkConfig,
  checkNames,
  defaultConfig,
  presets,
  SYNTHETIC_DEFAULTS,
  type TrainConfig,
} from "@guidance/guidance";
import { ValueError } from "@guidance/tensor";
import { type Command, Option } from "commander";
import { choiceOption, OfferingOption } from "./choices.ts";
import { overlay, parseAssignments, readConfigFile } from "./config-file.ts";
import { checkEffect } from "./effect.ts";
import { type ConfigField, nothing, rows, type Value } from "./option-rows.ts";

/** Where a configuration starts from. */
export interface SetupOptions {
  readonly preset: string;
  /** YAML file with fields over those of the preset. */
  readonly config?: string;
  /** Assignments to fields, over those of the file. */
  readonly set: readonly string[];
  readonly plugin: readonly string[];
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** Adds `--preset`, `--config`, `--set` and `--plugin`. */
export function addSetupOptions(command: Command): Command {
  return command
    .addOption(
      choiceOption(
        "--preset <preset>",
        `values to start from: ${Object.keys(presets).join(" or ")}`,
        Object.keys(presets),
      ).default("default"),
    )
    .option("--config <file>", "YAML or JSON file with fields over those of the preset (guidance schema prints which)")
    .addOption(
      new Option("--set <field=value>", "one field over those of the file, e.g. student.layers=20; repeatable")
        .argParser(collect)
        .default([], "none"),
    )
    .addOption(
      new Option(
        "--plugin <file>",
        "module that registers students, guides, similarities, data sets, transforms, loggers; repeatable",
      )
        .argParser(collect)
        .default([], "none"),
    );
}

/** The option that sets a field, for messages; the field itself where there is none. */
export function flagOf(field: string): string {
  return rows[field as ConfigField]?.flags.split(" ")[0] ?? field;
}

/** What a field may be, with the option's own word for null, if it has one. */
export function expectedOf(field: string, expected: string): string {
  const word = rows[field as ConfigField]?.word;
  return expected.replace(/ or null$/, word === undefined ? "" : `, or ${word}`);
}

function valueAt(config: TrainConfig, field: string): unknown {
  return field.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown> | null)?.[key], config);
}

const configOptions = Object.entries(rows).map(([field, { flags, help, parse, offers = [], word, no }]) => {
  const value = valueAt({ ...defaultConfig, synthetic: SYNTHETIC_DEFAULTS }, field) ?? word ?? null;
  const shown = typeof value === "boolean" ? (value ? "yes" : "no") : value;
  const option = new OfferingOption(flags, shown === null ? help : `${help} (default: ${shown})`, offers);
  if (parse) option.argParser(parse);
  if (field === "epochs") option.conflicts("steps");
  return { field, flags, option, no };
});

/** A folder of images is a data set and where it is. */
const dataOption = () =>
  new Option("--data <folder>", "images in train/<class> and val/<class>, or their Parquet or tar shards").conflicts([
    "dataset",
    "dataFolder",
  ]);

/** Adds the options of fields to a command, of all unless some are named. */
export function addConfigOptions(command: Command, fields?: readonly ConfigField[]): Command {
  command.addOption(dataOption());
  for (const { field, flags, option, no } of configOptions) {
    if (fields && !fields.some((each) => each === field)) continue;
    command.addOption(option);
    if (no !== undefined) command.addOption(new Option(flags.replace("--", "--no-"), no));
  }
  return command;
}

/** Flags of the configuration that were given on the command line. */
export function givenConfigFlags(command: Command): string[] {
  return configOptions.flatMap(({ flags, option }) =>
    command.getOptionValueSource(option.attributeName()) === "cli" ? [flags.split(" ")[0]] : [],
  );
}

/**
 * The configuration of a preset with what the file, the assignments and the options say, in this order; throws
 * ConfigError for fields that are unknown and values out of range, ValueError for names that neither this program nor an
 * imported plugin has, and for options without effect.
 */
export function buildConfig(
  command: Command,
  { preset, config: file, set }: Pick<SetupOptions, "preset" | "config" | "set">,
  base: TrainConfig = presets[preset],
): TrainConfig {
  const config = structuredClone(base) as Record<string, unknown>;
  if (file !== undefined) overlayFields(config, readConfigFile(file), `"${file}"`);
  overlayFields(config, parseAssignments(set), "--set");
  const given = new Set(givenConfigFlags(command));
  const options: Record<string, unknown> = {};
  for (const { field, flags, option } of configOptions) {
    if (!given.has(flags.split(" ")[0])) continue;
    const value = command.getOptionValue(option.attributeName()) as Value | typeof nothing;
    setAt(options, field, value === nothing ? null : value);
  }
  const data: string | undefined = command.getOptionValue("data");
  if (data !== undefined) Object.assign(options, { dataset: "folder", dataFolder: data });
  overlayFields(config, options, "the command line");
  const checked = checkConfig(config);
  checkNames(checked);
  checkEffect(checked, given);
  // absolute, so that the run can be resumed from anywhere
  const absolute = (path: string | null) => (path === null ? null : resolve(path));
  const { dataFolder, guide } = checked;
  return { ...checked, dataFolder: absolute(dataFolder), guide: { ...guide, weights: absolute(guide.weights) } };
}

/** Lays what one source says over what those before it said; `source` is its name in messages. */
function overlayFields(config: Record<string, unknown>, fields: Record<string, unknown>, source: string): void {
  const { synthetic, steps = null, epochs = null } = fields;
  if (steps !== null && epochs !== null) {
    throw new ValueError({
      what: "steps and epochs",
      facts: `${source} has both`,
      expected: "one of them, which decides how long the training is",
    });
  }
  // fields of made-up images that are not stated have their defaults
  if (isRecord(synthetic) && config.synthetic === null) config.synthetic = syntheticDefaults();
  overlay(config, fields);
  // what was said last decides
  if (epochs !== null) config.steps = null;
  if (steps !== null) config.epochs = null;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** The seed of made-up images is no setting. */
function syntheticDefaults() {
  const { seed: _seed, ...synthetic } = SYNTHETIC_DEFAULTS;
  return synthetic;
}

function setAt(fields: Record<string, unknown>, field: string, value: Value): void {
  const [head, leaf] = field.split(".");
  fields[head] = leaf === undefined ? value : { ...(fields[head] as object | undefined), [leaf]: value };
}
