/**
 * What `compare` knows of similarities: how each splits into what is made once of a layer and what is made of every two
 * layers. A similarity it knows nothing of, a plugin's, is computed pair by pair on the device.
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
import type { LoadedPrincipal, Principal } from "./principal.ts";
import { principalProcrustes, principalPwcca, principalSvcca } from "./principal-similarities.ts";

/** The names of all estimators. */
export const estimators = ["full", "minibatch"] as const;
/**
 * full: of all samples at once. minibatch: means of unbiased estimates over batches (Nguyen, Raghu, Kornblith
 * 2020).
 */
export type Estimator = (typeof estimators)[number];

/** How a similarity is made of whole features. */
export type Measure =
  /** The cosine of relations. */
  | { readonly kind: "relations"; readonly relations: Relations }
  /** A function of principal components. */
  | { readonly kind: "principal"; readonly of: (a: Principal, b: Principal) => number }
  /** A function of principal components with their loadings. */
  | { readonly kind: "loaded"; readonly of: (a: LoadedPrincipal, b: LoadedPrincipal) => number }
  | { readonly kind: "pairs"; readonly of: Similarity };

/** How it is estimated over batches: the cosine of sums of inner products of relations. */
export interface BatchMeasure {
  readonly kind: "batches";
  readonly relations: Relations;
}

const relations = (relations: Relations): Measure => ({ kind: "relations", relations });

const measures: Readonly<Record<string, Measure>> = {
  cka: relations(linearRelations),
  "linear-cka": relations(linearRelations),
  "rbf-cka": relations(rbfRelations),
  rsa: relations(distanceRelations),
  procrustes: { kind: "principal", of: principalProcrustes },
  svcca: { kind: "principal", of: principalSvcca },
  pwcca: { kind: "loaded", of: principalPwcca },
};

/** Relations of which inner products are unbiased. */
const unbiased: Readonly<Record<string, Relations>> = {
  cka: unbiasedLinearRelations,
  "linear-cka": unbiasedLinearRelations,
  "rbf-cka": unbiasedRbfRelations,
};

/** Names of all similarities that compare. */
export const comparisonNames = (): string[] => [...new Set([...similarities.names, ...comparisonOnly])];

/** How a similarity is computed. Throws ValueError where it is unknown or has no such estimator. */
export function measureOf(name: string, estimator: Estimator): Measure | BatchMeasure {
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
  if (estimator === "full") return measures[name] ?? { kind: "pairs", of: similarityOf(name) };
  if (unbiased[name]) return { kind: "batches", relations: unbiased[name] };
  throw new ValueError({
    what: "estimator",
    facts: `there is no minibatch estimate of "${name}"`,
    expected: "linear-cka or rbf-cka",
    hint: "Take --estimator full",
  });
}
