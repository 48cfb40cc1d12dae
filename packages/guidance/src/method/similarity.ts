/** Similarities of two feature matrices by name. */
import { formatShape, linearCka, procrustes, rbfCka, rsa, Tensor, ValueError } from "@guidance/tensor";
import { describeValue, runOwn } from "../own-code.ts";
import { Registry } from "../registry.ts";

/** How alike two sets of features [n, ...] of the same n samples are, the student's first: a scalar, 1 for equal. */
export type Similarity = (x: Tensor, y: Tensor) => Tensor;

/** Names of similarities that have no derivative here and only compare. */
export const comparisonOnly: ReadonlySet<string> = new Set(["svcca", "pwcca"]);

class Similarities extends Registry<Similarity> {
  protected override get taken(): readonly string[] {
    return [...this.names, ...comparisonOnly];
  }

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
export const similarities: Registry<Similarity> = new Similarities(
  "similarity",
  {
    cka: linearCka,
    "linear-cka": linearCka,
    "rbf-cka": rbfCka,
    rsa,
    procrustes,
  },
  "(x, y) => Tensor",
);

/** The similarity called `name`, which throws ValueError where it gives anything but a scalar. */
export function similarityOf(name: string): Similarity {
  const what = `similarity "${name}"`;
  const similarity = similarities.get(name);
  return (x, y) => {
    const given: unknown = runOwn(what, () => similarity(x, y));
    if (given instanceof Tensor && given.rank === 0 && given.dtype === "f32") return given;
    const isTensor = given instanceof Tensor;
    throw new ValueError({
      what,
      facts: `of features ${formatShape(x.shape)} and ${formatShape(y.shape)} it is ${isTensor ? `${given.dtype}${formatShape(given.shape)}` : describeValue(given)}`,
      expected: "a scalar, a Tensor f32[]",
      hint: isTensor ? "Reduce over all axes with mean or sum" : "Return what its Tensors come to",
    });
  };
}
