/** `data.json` of a run: the format of the images it was trained on, so that its networks can be built without them. */
import { join } from "node:path";
import { z } from "zod";
import type { Fit } from "../data/images/to-format.ts";
import type { ImageFormat } from "../data/source.ts";
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
});

/** The images that the networks of a run are made for. */
export interface RunData {
  readonly format: ImageFormat;
  /** How other images are brought to that format. */
  readonly fit: Fit;
}

/** Writes `data.json` of the run in `folder`; throws RunError where it cannot be written. */
export async function writeRunData(folder: string, { format, fit }: RunData): Promise<void> {
  const { channels, height, width, classes, classNames, mean, std } = format;
  const stored = { channels, height, width, classes, ...(classNames && { classNames }), mean, std };
  await writeSealed(join(folder, FILE), FORMAT, { fit, format: stored });
}

/** Throws RunError where the file is missing or is not as `writeRunData` writes it. */
export async function readRunData(folder: string): Promise<RunData> {
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
  const { fit, format } = parsed.data;
  const { classNames, ...rest } = format;
  return { fit, format: { ...rest, ...(classNames && { classNames }) } };
}
