import { GuidanceError } from "@guidance/tensor";

/** A run folder or one of its files that is missing, taken, damaged or does not fit the model. */
export class RunError extends GuidanceError {}
