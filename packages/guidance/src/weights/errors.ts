import { type ErrorParts, GuidanceError } from "@guidance/tensor";

/** A file of weights that is missing, damaged, hostile, or holds something else. */
export class WeightsError extends GuidanceError {}

/** Longest facts of a message, in characters: names come from files. */
const MOST_FACTS = 1000;

/** An error about the file `path`, on one line whatever names the facts have. */
export function weightsError(path: string, { facts, ...parts }: Omit<ErrorParts, "what">): WeightsError {
  const line = facts.replace(/\p{Cc}+/gu, " ");
  const short = line.length > MOST_FACTS ? `${line.slice(0, MOST_FACTS)}...` : line;
  return new WeightsError({ what: `weights file "${path}"`, facts: short, ...parts });
}
