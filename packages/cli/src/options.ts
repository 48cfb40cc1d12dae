/**
 * The options of `guidance train` that set the configuration: one row a field, typed by the configuration
 * itself, so that a field without an option fails to compile.
 */
import { resolve } from "node:path";
import {
  checkConfig,
  checkNames,
  datasets,
  defaultConfig,
  guides,
  presets,
  SYNTHETIC_DEFAULTS,
  similarities,
  students,
  type TrainConfig,
  transforms,
} from "@guidance/guidance";
import { ValueError } from "@guidance/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { choiceOption, OfferingOption, oneOf } from "./choices.ts";
import { overlay, parseAssignments, readConfigFile } from "./config-file.ts";
import { checkEffect } from "./effect.ts";

/** Dotted paths of all plain values of a configuration. */
type Leaves<T> = {
  [K in keyof T & string]: NonNullable<T[K]> extends object ? `${K}.${Leaves<NonNullable<T[K]>>}` : K;
}[keyof T & string];
export type ConfigField = Leaves<TrainConfig>;

type Value = string | number | boolean | null;

interface Row {
  /** As commander takes them; "--baseline" stands for itself and "--no-baseline". */
  readonly flags: string;
  readonly help: string;
  readonly parse?: (text: string) => Value | typeof nothing;
  /** Values that shells complete. */
  readonly offers?: readonly string[];
  /** Stands for null. */
  readonly word?: string;
  /** Help of the option that says no. */
  readonly no?: string;
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("Expected a number.");
  return value;
}

function parseInteger(text: string): number {
  const value = parseNumber(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError("Expected a whole number.");
  return value;
}

/** Stands for null between the parser and the configuration: commander takes null for a missing value. */
const nothing = Symbol("null");

const text = (flags: string, help: string, offers?: readonly string[]): Row => ({
  flags,
  help,
  parse: (value) => value,
  offers,
});
const integer = (flags: string, help: string): Row => ({ flags, help, parse: parseInteger });
const number = (flags: string, help: string): Row => ({ flags, help, parse: parseNumber });
const choice = (flags: string, help: string, choices: readonly string[]): Row => ({
  flags,
  help: `${help}: ${choices.join(" or ")}`,
  parse: oneOf(choices),
  offers: choices,
});
/** A whole number, or `word` for null. */
const integerOr = (flags: string, help: string, word: string): Row => ({
  flags,
  help,
  parse: (value) => (value === word ? nothing : parseInteger(value)),
  word,
});
/** A number, or `word` for null. */
const numberOr = (flags: string, help: string, word: string): Row => ({
  flags,
  help,
  parse: (value) => (value === word ? nothing : parseNumber(value)),
  word,
});
const yesOrNo = (flags: string, help: string, no: string): Row => ({ flags, help, no });

const rows: { readonly [Field in ConfigField]: Row } = {
  dataset: text(
    "--dataset <name>",
    "mnist, fashion-mnist, cifar10, cifar100, synthetic, or one of a plugin",
    datasets.names.filter((name) => name !== "folder"), // that is --data
  ),
  dataFolder: text("--data-folder <path>", "where the files of the data set are, if not in their usual place"),
  "synthetic.channels": integer("--synthetic-channels <n>", "channels of the made-up images of --dataset synthetic"),
  "synthetic.height": integer("--synthetic-height <n>", "their height"),
  "synthetic.width": integer("--synthetic-width <n>", "their width"),
  "synthetic.classes": integer("--synthetic-classes <n>", "their classes"),
  "synthetic.train": integer("--synthetic-train <n>", "how many to train on"),
  "synthetic.validation": integer("--synthetic-validation <n>", "how many to validate on"),
  "synthetic.test": integer("--synthetic-test <n>", "how many to test on"),
  "images.size": integer("--image-size <n>", "height and width that images of --data are cropped to"),
  "images.trainTransform": text(
    "--train-transform <name>",
    "how they are varied for training: random-resized-crop, or one of a plugin",
    transforms.names,
  ),
  "images.transform": text(
    "--transform <name>",
    "how they are seen otherwise: center-crop, or one of a plugin",
    transforms.names,
  ),
  "images.workers": integerOr("--workers <n>", "threads that decode them, or auto: all cores but one", "auto"),
  "images.onBad": choice("--on-bad-image <how>", "what becomes of one that cannot be decoded", ["skip", "fail"]),
  classes: integerOr("--classes <n>", "outputs of both networks, or data for the classes there are", "data"),
  seed: integer("--seed <n>", "decides weights, order of images and dropout"),
  batchSize: integer("--batch <n>", "images in a batch"),
  steps: integer("--steps <n>", "training steps in all"),
  epochs: integer("--epochs <n>", "passes over the training images, instead of --steps"),
  lastBatch: choice("--last-batch <how>", "what becomes of a short last batch", ["drop", "keep"]),
  learningRate: number("--lr <rate>", "learning rate of Adam"),
  schedule: choice("--schedule <how>", "how the learning rate falls", ["step", "cosine"]),
  decayFactor: number("--decay-factor <x>", "what the learning rate is multiplied by"),
  decayEvery: integerOr("--decay-every <epochs>", "each time so many epochs have passed, or never", "never"),
  warmupSteps: integer("--warmup <steps>", "steps over which the learning rate rises at first"),
  weightDecay: number("--weight-decay <x>", "decoupled weight decay (AdamW); 0: plain Adam"),
  clipNorm: numberOr("--clip-norm <x>", "largest norm of all gradients of a step together, or none", "none"),
  accumulate: integer(
    "--accumulate <parts>",
    "equal parts in which a batch is computed: the activations of one, and a copy of all gradients",
  ),
  precision: choice("--precision <how>", "how activations and their gradients are stored", ["float32", "mixed"]),
  labelSmoothing: number("--label-smoothing <x>", "part of each target that is spread over all classes"),
  validateEvery: integerOr(
    "--validate-every <steps>",
    "validation beside that at the ends of epochs, or never",
    "never",
  ),
  validateBeforeTraining: yesOrNo(
    "--validate-first",
    "validation before the first step",
    "no validation before the first step",
  ),
  inspectEvery: integerOr(
    "--inspect-every <steps>",
    "gradient norms of all layers and their similarity to the guide, or never",
    "never",
  ),
  keepTop: integer("--keep-top <n>", "checkpoints kept of the best by validation loss, beside best and last"),
  "student.name": text("--student <name>", "the network to train: deep-fcn, or one of a plugin", students.names),
  "student.layers": integer("--layers <n>", "the student's Linear layers"),
  "student.width": integer("--width <n>", "values in each of the student's layers"),
  "student.firstWidth": integer("--first-width <n>", "values in the student's first layer"),
  "student.dropout": number("--dropout <rate>", "its dropout, from 0 to below 1"),
  "guide.name": text("--guide <name>", "the network that guides: resnet18, or one of a plugin", guides.names),
  "guide.baseWidth": integer("--guide-width <n>", "channels of the guide's first stage"),
  "guide.weights": {
    flags: "--guide-weights <file>",
    help: "its weights, a .pth of torch or .safetensors: --guide-steps is ignored then; or none",
    parse: (file) => (file === "none" ? nothing : file),
    word: "none",
  },
  "guide.steps": integer("--guide-steps <n>", "steps of its own training first; 0: random weights"),
  "guide.batchSize": integer("--guide-batch <n>", "images in a batch of its own training"),
  "guide.learningRate": number("--guide-lr <rate>", "learning rate of its own training"),
  "guide.mode": choice("--guide-mode <mode>", "batch statistics or running ones", ["train", "eval"]),
  "guide.input": choice("--guide-input <what>", "what it sees while it guides", ["images", "noise"]),
  "guide.disconnectAfter": integerOr(
    "--disconnect-after <steps>",
    "steps after which the student goes on without guide, or never",
    "never",
  ),
  similarity: text(
    "--similarity <name>",
    "what makes layers alike: cka, rbf-cka, rsa, procrustes, or one of a plugin",
    similarities.names,
  ),
  alpha: number("--alpha <x>", "weight of the similarity loss"),
  forwards: choice("--forwards <how>", "student forwards a step: one, or the notebook's two", ["single", "notebook"]),
  baseline: yesOrNo("--baseline", "the same student without guide afterwards", "only the student with guide"),
};

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
