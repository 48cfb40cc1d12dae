import { GuidanceError } from "@guidance/tensor";

/** A data set that is missing, damaged or does not fit what is asked of it. */
export class DataError extends GuidanceError {}
