/**
 * The options that set the configuration: one row a field, typed by the configuration itself, so that a field without an
 * option fails to compile.
 */
import { datasets, guides, similarities, students, type TrainConfig, transforms } from "@guidance/guidance";
import { InvalidArgumentError } from "commander";
import { oneOf } from "./choices.ts";

/** Dotted paths of all plain values of a configuration. */
type Leaves<T> = {
  [K in keyof T & string]: NonNullable<T[K]> extends object ? `${K}.${Leaves<NonNullable<T[K]>>}` : K;
}[keyof T & string];
export type ConfigField = Leaves<TrainConfig>;

/** What an option may set a field to. */
export type Value = string | number | boolean | null;

/** An option of a field. */
export interface Row {
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
export const nothing = Symbol("null");

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

/** The option of each field. */
export const rows: { readonly [Field in ConfigField]: Row } = {
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
