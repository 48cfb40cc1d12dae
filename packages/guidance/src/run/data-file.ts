/** `data.json` of a run: the format of the images it was trained on, so that its networks can be built without them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Fit } from "../data/images/to-format.ts";
import type { ImageFormat } from "../data/source.ts";
import { RunError } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";

const FILE = "data.json";
const size = z.int().min(1);

const schema = z.strictObject({
  version: z.literal(1),
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
});

export interface RunData {
  readonly format: ImageFormat;
  /** How other images are brought to that format. */
  readonly fit: Fit;
}

export async function writeRunData(folder: string, { format, fit }: RunData): Promise<void> {
  const { channels, height, width, classes, classNames, mean, std } = format;
  const stored = { channels, height, width, classes, ...(classNames && { classNames }), mean, std };
  await writeFileAtomic(join(folder, FILE), `${JSON.stringify({ version: 1, fit, format: stored }, undefined, 2)}\n`);
}

/** Throws RunError where the file is missing or is not as `writeRunData` writes it. */
export async function readRunData(folder: string): Promise<RunData> {
  const path = join(folder, FILE);
  const broken = (facts: string) =>
    new RunError({ what: "run", facts, expected: "the file as guidance train wrote it", hint: "Restore it" });
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw broken(`cannot read "${path}" (${(error as Error).message})`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw broken(`"${path}" is off at "${parsed.error.issues[0].path.join(".")}"`);
  const { fit, format } = parsed.data;
  const { classNames, ...rest } = format;
  return { fit, format: { ...rest, ...(classNames && { classNames }) } };
}
