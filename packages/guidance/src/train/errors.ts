/** Ways a training run ends early. */
import { GuidanceError } from "@guidance/tensor";

/** The loss became NaN or infinite; the weights are those of the last good step. */
export class NotFiniteError extends GuidanceError {}

/** The run was asked to stop; what was done is saved. */
export class InterruptedError extends GuidanceError {}
