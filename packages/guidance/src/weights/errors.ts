import { type ErrorParts, GuidanceError } from "@guidance/tensor";

/** A file of weights that is missing, damaged, hostile, or holds something else. */
export class WeightsError extends GuidanceError {}

/** An error about the file `path`. */
export function weightsError(path: string, parts: Omit<ErrorParts, "what">): WeightsError {
  return new WeightsError({ what: `weights file "${path}"`, ...parts });
}
