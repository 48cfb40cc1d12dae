/** Similarities of two feature matrices by name. */
import { linearCka, procrustes, rbfCka, rsa, type Tensor, ValueError } from "@guidance/tensor";
import { Registry } from "../registry.ts";

/** How alike two sets of features [n, ...] of the same n samples are: a scalar, 1 for equal. */
export type Similarity = (x: Tensor, y: Tensor) => Tensor;

/** Names of similarities that have no derivative here and only compare. */
export const comparisonOnly: ReadonlySet<string> = new Set(["svcca"]);

class Similarities extends Registry<Similarity> {
  override get(name: string): Similarity {
    if (!comparisonOnly.has(name)) return super.get(name);
    throw new ValueError({
      what: "similarity",
      facts: `"${name}" has no gradient, so nothing can be trained by it`,
      expected: `one of ${this.names.join(", ")}`,
      hint: `guidance compare takes "${name}"`,
    });
  }
}

/** Similarities that a loss can be made of. `cka` is what `linear-cka` is called in configurations. */
export const similarities: Registry<Similarity> = new Similarities("similarity", {
  cka: linearCka,
  "linear-cka": linearCka,
  "rbf-cka": rbfCka,
  rsa,
  procrustes,
});
