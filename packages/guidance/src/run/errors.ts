import { GuidanceError } from "@guidance/tensor";
import { systemReason } from "../system-error.ts";

/** A run folder or one of its files that is missing, taken, damaged or does not fit the model. */
export class RunError extends GuidanceError {}

/** A file of a run that the system does not let us write: no room, no access, a device that fails. */
export function unwritable(path: string, error: unknown): RunError {
  return new RunError({
    what: "run",
    facts: `cannot write "${path}" (${systemReason(error)})`,
    hint: "Make room or give access there, then go on with guidance train --resume",
  });
}
