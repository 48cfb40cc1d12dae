/** Ways a training run ends early. */
import { GuidanceError } from "@guidance/tensor";

/** The loss or the weights became NaN or infinite; the last checkpoint stands. */
export class NotFiniteError extends GuidanceError {}

/** The run was asked to stop; what was done is saved. */
export class InterruptedError extends GuidanceError {}
