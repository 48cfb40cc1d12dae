/**
 * The configuration of a run: one checked object with defaults, presets and nothing hidden. The command
 * line sets its fields; it is stored with the run and with every checkpoint.
 */
import { ValueError } from "@guidance/tensor";
import { z } from "zod";
import { nearestName } from "../nearest.ts";

const count = z.int().min(1);
const rate = z.number().positive();

/** Most layers of a student: planning so many takes minutes, and 10,000 take more than Node's heap. */
const MOST_LAYERS = 1000;

const schema = z.strictObject({
  dataset: z.string(),
  /** Folder of the data files, where the data set has files. */
  dataFolder: z.string().nullable(),
  /** Shape and counts of the data set `synthetic`; null for its defaults. */
  synthetic: z
    .strictObject({
      channels: count,
      height: count,
      width: count,
      classes: count.max(256),
      train: count,
      validation: count,
      test: count,
    })
    .nullable(),
  /** How the encoded images of the data set `folder` are read. */
  images: z.strictObject({
    /** Height and width they are cropped to. */
    size: count,
    /** How they are varied for training, and how they are seen otherwise: names of transforms. */
    trainTransform: z.string(),
    transform: z.string(),
    /** Threads that decode; null: all cores but one. */
    workers: count.nullable(),
    /** skip: the next good image takes the place of a bad one. fail: a bad image ends the run. */
    onBad: z.enum(["skip", "fail"]),
  }),
  /** Outputs of both networks; null for the data set's classes. */
  classes: count.nullable(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 2),
  batchSize: count.min(2),
  /** Steps in all; null: epochs decide. */
  steps: count.nullable(),
  epochs: count.nullable(),
  /** drop: a short last batch is left out. keep: it is trained with a second Step. */
  lastBatch: z.enum(["drop", "keep"]),
  learningRate: rate,
  /** step: the rate is multiplied by `decayFactor` each time `decayEvery` epochs have passed. cosine: it falls to 0 at the end. */
  schedule: z.enum(["step", "cosine"]),
  decayFactor: rate,
  /** Epochs; null: never. */
  decayEvery: count.nullable(),
  /** Steps over which the rate rises to what the schedule says; 0: from the start. */
  warmupSteps: z.int().min(0),
  /** Decoupled weight decay (AdamW); 0: plain Adam. */
  weightDecay: z.number().min(0),
  /** Largest norm of all gradients of a step together; null: any. */
  clipNorm: rate.nullable(),
  /** Equal parts in which a batch is computed, for the memory of one of them. */
  accumulate: count,
  /** mixed: activations and their gradients are stored as f16, where the device has it, and the loss is scaled. */
  precision: z.enum(["float32", "mixed"]),
  /** Part of each target that is spread over all classes. */
  labelSmoothing: z.number().min(0).lt(1),
  /** Validation every so many steps, beside the ends of epochs; null: only there. */
  validateEvery: count.nullable(),
  validateBeforeTraining: z.boolean(),
  /** Gradient norms of all layers, and their similarity to the guide's, every so many steps; null: never. */
  inspectEvery: count.nullable(),
  /** Checkpoints kept of the best by validation loss, beside `best` and `last`. */
  keepTop: z.int().min(0),
  student: z.strictObject({
    name: z.string(),
    layers: count.min(2).max(MOST_LAYERS),
    firstWidth: count,
    width: count,
    dropout: z.number().min(0).lt(1),
  }),
  guide: z.strictObject({
    name: z.string(),
    baseWidth: count,
    /** File of its weights (.pth, .safetensors), which it then has instead of training; null: none. */
    weights: z.string().nullable(),
    /** Steps of its own training first; 0: random weights. Without meaning where `weights` is set. */
    steps: z.int().min(0),
    batchSize: count.min(2),
    learningRate: rate,
    /** train: batch statistics, as in the original. eval: running statistics. */
    mode: z.enum(["train", "eval"]),
    /** What it sees while it guides: the student's images, or noise. */
    input: z.enum(["images", "noise"]),
    /** Steps after which the student goes on without it; null: never. */
    disconnectAfter: count.nullable(),
  }),
  similarity: z.string(),
  alpha: z.number().min(0),
  forwards: z.enum(["single", "notebook"]),
  /** Whether the same student is trained without guide afterwards. */
  baseline: z.boolean(),
});

/** Every setting of a run; see {@link defaultConfig} for values, and `guidance schema` for ranges. */
export type TrainConfig = z.infer<typeof schema>;

/** The demonstration: a 50-layer student on MNIST that guidance makes trainable in minutes. */
export const defaultConfig: TrainConfig = {
  dataset: "mnist",
  dataFolder: null,
  synthetic: null,
  images: {
    size: 224,
    trainTransform: "random-resized-crop",
    transform: "center-crop",
    workers: null,
    onBad: "skip",
  },
  classes: null,
  seed: 0,
  batchSize: 128,
  steps: 300,
  epochs: null,
  lastBatch: "drop",
  learningRate: 1e-3,
  schedule: "step",
  decayFactor: 0.1,
  decayEvery: null,
  warmupSteps: 0,
  weightDecay: 0,
  clipNorm: null,
  accumulate: 1,
  precision: "float32",
  labelSmoothing: 0,
  validateEvery: 100,
  validateBeforeTraining: false,
  inspectEvery: null,
  keepTop: 0,
  student: { name: "deep-fcn", layers: 50, firstWidth: 128, width: 128, dropout: 0 },
  guide: {
    name: "resnet18",
    baseWidth: 16,
    weights: null,
    steps: 200,
    batchSize: 64,
    learningRate: 1e-3,
    mode: "train",
    input: "images",
    disconnectAfter: null,
  },
  similarity: "cka",
  alpha: 3,
  forwards: "single",
  baseline: true,
};

/** The original notebook's values and semantics: random guide, two forwards, batch statistics. */
export const notebookConfig: TrainConfig = {
  ...defaultConfig,
  dataset: "synthetic",
  synthetic: { channels: 3, height: 224, width: 224, classes: 256, train: 512, validation: 256, test: 256 },
  classes: 1000,
  batchSize: 256,
  steps: null,
  epochs: 100,
  lastBatch: "keep",
  learningRate: 1e-4,
  decayEvery: 30,
  validateEvery: null,
  validateBeforeTraining: true,
  student: { name: "deep-fcn", layers: 49, firstWidth: 2048, width: 1024, dropout: 0.1 },
  guide: { ...defaultConfig.guide, baseWidth: 64, steps: 0 },
  alpha: 1,
  forwards: "notebook",
  baseline: false,
};

/** Configurations to start from, by name. */
export const presets: Readonly<Record<string, TrainConfig>> = { default: defaultConfig, notebook: notebookConfig };

/** What is wrong with one field of a configuration. */
export interface ConfigIssue {
  /** E.g. `student.layers`; empty for the whole. */
  readonly field: string;
  /** E.g. `it is 1`. */
  readonly facts: string;
  /** E.g. `a whole number of at least 2`. */
  readonly expected: string;
}

/** A configuration with fields that are missing, unknown or out of range. */
export class ConfigError extends ValueError {
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    const texts = issues.map(({ field, facts, expected }) => `${field && `${field}: `}${facts}, expected ${expected}`);
    super({ what: "configuration", facts: texts.join("; ") });
    this.issues = issues;
  }
}

/** The configuration `value` holds; throws ConfigError naming each field that is off. */
export function checkConfig(value: unknown): TrainConfig {
  const result = schema.safeParse(value);
  if (!result.success) throw new ConfigError(firstIssues(result.error.issues).map((issue) => issueOf(issue, value)));
  const config = result.data;
  if (config.steps === null && config.epochs === null) {
    throw new ConfigError([{ field: "steps", facts: "neither steps nor epochs is set", expected: "one of them" }]);
  }
  return config;
}

/** The first issue of each field: a value may fail several bounds, and the range names them all. */
function firstIssues(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  const fieldOf = ({ path }: z.core.$ZodIssue) => path.join(".");
  return issues.filter((issue, i) => issues.findIndex((other) => fieldOf(other) === fieldOf(issue)) === i);
}

function issueOf(issue: z.core.$ZodIssue, value: unknown): ConfigIssue {
  const field = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(plain(schemaAt(issue.path)).properties ?? {});
    const names = issue.keys.map((key) => {
      const nearest = nearestName(key, known);
      return `"${key}"${nearest === undefined ? "" : ` (Did you mean "${nearest}"?)`}`;
    });
    return { field, facts: `there is no field ${names.join(", ")}`, expected: "the fields of a configuration" };
  }
  const given = issue.path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown>)[key], value);
  const shown =
    typeof given === "string" ? `"${given}"` : typeof given === "object" ? JSON.stringify(given) : String(given);
  return { field, facts: given === undefined ? "it is missing" : `it is ${shown}`, expected: rangeOf(issue.path) };
}

/** The JSON Schema of a file with fields of a configuration: any of them may be left out. */
export function configFileSchema(): object {
  const optional = (field: unknown): unknown => {
    if (typeof field !== "object" || field === null) return field;
    if (Array.isArray(field)) return field.map(optional);
    const { required: _required, ...rest } = field as Record<string, unknown>;
    return Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, optional(value)]));
  };
  return { ...(optional(jsonSchema) as object), title: "guidance configuration" };
}

type FieldSchema = z.core.JSONSchema.BaseSchema;
const jsonSchema: FieldSchema = z.toJSONSchema(schema);

/** A field without the null that it may be instead. */
const plain = (field: FieldSchema): FieldSchema => (field.anyOf?.[0] as FieldSchema | undefined) ?? field;

/** The schema of the field at `path`. */
function schemaAt(path: readonly PropertyKey[]): FieldSchema {
  return path.reduce<FieldSchema>(
    (outer, key) => (plain(outer).properties?.[String(key)] as FieldSchema | undefined) ?? {},
    jsonSchema,
  );
}

/** What a field may be, in words, from the schema itself. */
function rangeOf(path: readonly PropertyKey[]): string {
  const field = schemaAt(path);
  return describeRange(plain(field)) + (field.anyOf ? " or null" : "");
}

const typeNames: Readonly<Record<string, string>> = {
  integer: "a whole number",
  number: "a number",
  string: "text",
  boolean: "true or false",
  object: "an object",
};

function describeRange(field: FieldSchema): string {
  if (field.enum) return `one of ${field.enum.join(", ")}`;
  // a whole number has the bounds of float64 unless it has others
  const within = (bound: number | undefined) =>
    bound === undefined || Math.abs(bound) === Number.MAX_SAFE_INTEGER ? undefined : bound;
  const low = within(field.minimum) ?? field.exclusiveMinimum;
  const high = within(field.maximum) ?? field.exclusiveMaximum;
  const below = field.exclusiveMaximum === undefined ? "" : "below ";
  const name = typeNames[String(field.type)] ?? "another value";
  if (low === undefined) return high === undefined ? name : `${name} ${below || "of at most "}${high}`;
  if (high !== undefined) return `${name} from ${low} to ${below}${high}`;
  return `${name} ${field.exclusiveMinimum === undefined ? "of at least" : "above"} ${low}`;
}
