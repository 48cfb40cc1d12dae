/** Whether what a loader of data gave has all that a data set needs: it may be a plugin's, which no compiler has seen. */

import { describeValue } from "../own-code.ts";
import { DataError } from "./errors.ts";

type Fields = Readonly<Record<string, readonly [expected: string, fits: (value: unknown) => boolean]>>;

const text = ["text", (value: unknown) => typeof value === "string"] as const;
const count = ["a whole number", Number.isInteger] as const;
const bytes = ["a Uint8Array", (value: unknown) => value instanceof Uint8Array] as const;
const method = ["a function", (value: unknown) => typeof value === "function"] as const;
const numbers = [
  "an array of numbers",
  (value: unknown) => Array.isArray(value) && value.every(Number.isFinite),
] as const;

const format: Fields = {
  name: text,
  channels: count,
  height: count,
  width: count,
  classes: count,
  mean: numbers,
  std: numbers,
  count,
};
const dataset: Fields = { ...format, images: bytes, labels: bytes };
const source: Fields = { ...format, hash: text, batches: method, close: method };

/** Throws DataError, naming what is missing, unless `loaded` has the splits of the data set called `name`. */
export function checkLoaded(name: string, loaded: unknown): void {
  const what = `data set "${name}"`;
  const splits = ["train", "validation", "test"] as const;
  if (!isObject(loaded)) {
    throw new DataError({
      what,
      facts: `its loader gave ${describeValue(loaded)}`,
      expected: `{ ${splits.join(", ")} }`,
    });
  }
  for (const split of splits) checkSplit(what, split, loaded[split]);
}

function checkSplit(what: string, split: string, given: unknown): void {
  if (!isObject(given)) {
    throw new DataError({
      what,
      facts: `its split "${split}" is ${describeValue(given)}`,
      expected: "an ImageDataset, or an ImageSource",
    });
  }
  const [kind, fields] = "batches" in given ? ["ImageSource", source] : ["ImageDataset", dataset];
  const wrong = Object.entries(fields).filter(([field, [, fits]]) => !fits(given[field]));
  if (wrong.length === 0) return;
  const missing = wrong.filter(([field]) => given[field] === undefined).map(([field]) => field);
  const [field, [expected]] = wrong[0];
  throw new DataError({
    what,
    facts:
      missing.length > 0
        ? `its split "${split}" lacks ${missing.join(", ")}`
        : `${field} of its split "${split}" is ${describeValue(given[field])}`,
    expected:
      missing.length > 0 ? `an ${kind}, which has ${Object.keys(fields).join(", ")}` : `${expected}, as an ${kind} has`,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
