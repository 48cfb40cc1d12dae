/** Similarities of two feature matrices by name. */
import { linearCka, type Tensor } from "@guidance/tensor";
import { Registry } from "../registry.ts";

/** How alike two sets of features [n, ...] of the same n samples are: a scalar, 1 for equal. */
export type Similarity = (x: Tensor, y: Tensor) => Tensor;

export const similarities = new Registry<Similarity>("similarity", { cka: linearCka });
