/**
 * What `compare` knows of similarities: how each splits into what is made once of a layer, on the device, and what is made
 * of every two layers, on the host. A similarity it knows nothing of, a plugin's, is computed pair by pair on the device.
 */
import {
  distanceRelations,
  linearRelations,
  type Relations,
  rbfRelations,
  unbiasedLinearRelations,
  unbiasedRbfRelations,
  ValueError,
} from "@guidance/tensor";
import { comparisonOnly, type Similarity, similarities, similarityOf } from "../method/similarity.ts";
import { nearestName } from "../nearest.ts";
import { type Principal, principalProcrustes, principalSvcca } from "./principal.ts";

/** full: of all samples at once. minibatch: the means of unbiased estimates over batches. */
export const estimators = ["full", "minibatch"] as const;
/**
 * full: all samples in one batch. minibatch: means of unbiased estimates over batches (Nguyen, Raghu, Kornblith
 * 2020).
 */
export type Estimator = (typeof estimators)[number];

export type Measure =
  /** The cosine of sums over batches of inner products of relations. */
  | { readonly kind: "relations"; readonly relations: Relations; readonly unbiased?: Relations }
  /** A function of principal components. */
  | { readonly kind: "principal"; readonly of: (a: Principal, b: Principal) => number }
  | { readonly kind: "pairs"; readonly of: Similarity };

const linear: Measure = { kind: "relations", relations: linearRelations, unbiased: unbiasedLinearRelations };

const measures: Readonly<Record<string, Measure>> = {
  cka: linear,
  "linear-cka": linear,
  "rbf-cka": { kind: "relations", relations: rbfRelations, unbiased: unbiasedRbfRelations },
  rsa: { kind: "relations", relations: distanceRelations },
  procrustes: { kind: "principal", of: principalProcrustes },
  svcca: { kind: "principal", of: principalSvcca },
};

/** Names of all similarities that compare. */
export const comparisonNames = (): string[] => [...new Set([...similarities.names, ...comparisonOnly])];

/** The relations to add up over batches. Throws ValueError where a similarity is unknown or has no such estimator. */
export function measureOf(name: string, estimator: Estimator): Measure {
  const names = comparisonNames();
  if (!names.includes(name)) {
    const nearest = nearestName(name, names);
    throw new ValueError({
      what: "similarity",
      facts: `there is no similarity "${name}"`,
      expected: `one of ${names.join(", ")}`,
      hint: nearest === undefined ? "Add your own with --plugin" : `Perhaps you meant "${nearest}"`,
    });
  }
  const measure: Measure = measures[name] ?? { kind: "pairs", of: similarityOf(name) };
  if (estimator === "full") return measure;
  if (measure.kind === "relations" && measure.unbiased) return { ...measure, relations: measure.unbiased };
  throw new ValueError({
    what: "estimator",
    facts: `there is no minibatch estimate of "${name}"`,
    expected: "linear-cka or rbf-cka",
    hint: "Take --estimator full",
  });
}
