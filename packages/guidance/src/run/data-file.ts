/**
 * `data.json` of a run: the format of the images it was trained on, so that its networks can be built without them, and the
 * hashes of its splits, so that it goes on with no others.
 */
import { join } from "node:path";
import { z } from "zod";
import type { Fit } from "../data/images/to-format.ts";
import type { ImageFormat, SourceSplits } from "../data/source.ts";
import { RunError } from "./errors.ts";
import { readSealed, type SealFormat, writeSealed } from "./sealed.ts";

const FILE = "data.json";
const FORMAT: SealFormat = { name: "data of a run", version: 1, hint: "Restore it" };
const size = z.int().min(1);

const schema = z.strictObject({
  fit: z.enum(["crop", "resize"]),
  format: z.strictObject({
    channels: size,
    height: size,
    width: size,
    classes: size,
    classNames: z.array(z.string()).optional(),
    mean: z.array(z.number()),
    std: z.array(z.number()),
  }),
  // runs of earlier versions have none
  hashes: z.strictObject({ train: z.string(), validation: z.string(), test: z.string() }).optional(),
});

/** The images that the networks of a run are made for. */
export interface RunData {
  readonly format: ImageFormat;
  /** How other images are brought to that format. */
  readonly fit: Fit;
}

/** Writes what the run in `folder` must know of its data; throws RunError where it cannot be written. */
export async function writeRunData(folder: string, splits: SourceSplits, fit: Fit): Promise<void> {
  const { train, validation, test } = splits;
  const { channels, height, width, classes, classNames, mean, std } = train;
  const format = { channels, height, width, classes, ...(classNames && { classNames }), mean, std };
  const hashes = { train: train.hash, validation: validation.hash, test: test.hash };
  await writeSealed(join(folder, FILE), FORMAT, { fit, format, hashes });
}

/** Throws RunError where the file is missing or is not as `writeRunData` writes it. */
export async function readRunData(folder: string): Promise<RunData> {
  const { fit, format } = await readData(folder);
  const { classNames, ...rest } = format;
  return { fit, format: { ...rest, ...(classNames && { classNames }) } };
}

/** Throws RunError, naming the splits that changed, unless `splits` are the data that the run in `folder` began with. */
export async function checkRunData(folder: string, splits: SourceSplits): Promise<void> {
  const { hashes } = await readData(folder);
  if (!hashes) return;
  const changed = (["train", "validation", "test"] as const).filter((split) => splits[split].hash !== hashes[split]);
  if (changed.length === 0) return;
  const facts = changed.map((split) => {
    const { name, count, hash } = splits[split];
    return `${split} ("${name}", ${count} images) has the hash ${hash.slice(0, 12)} and had ${hashes[split].slice(0, 12)}`;
  });
  throw new RunError({
    what: "resume",
    facts: `the data have changed since the run began: ${facts.join("; ")}`,
    expected: "the same images, labels and split",
    hint: "Restore the data, or start a new run",
  });
}

async function readData(folder: string): Promise<z.infer<typeof schema>> {
  const path = join(folder, FILE);
  const parsed = schema.safeParse(await readSealed(path, FORMAT));
  if (!parsed.success) {
    const facts = `"${path}" is off at "${parsed.error.issues[0].path.join(".")}"`;
    throw new RunError({
      what: FORMAT.name,
      facts,
      expected: "the file as guidance train wrote it",
      hint: FORMAT.hint,
    });
  }
  return parsed.data;
}
