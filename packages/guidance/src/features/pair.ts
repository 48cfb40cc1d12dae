/** Pairs of guide and student layers whose similarity the loss counts. */
import { effectivePairs, mapLayers } from "./mapping.ts";
import type { Feature } from "./observe.ts";

/** A layer of the guide and the layer of the student that is made to resemble it. */
export interface LayerPair {
  readonly guide: Feature;
  readonly student: Feature;
}

/** Spreads the guide's layers over the student's by relative depth; of several on one student layer the last counts. */
export function pairLayers(guide: readonly Feature[], student: readonly Feature[]): LayerPair[] {
  const pairs = effectivePairs(mapLayers(guide.length, student.length));
  return pairs.map(([teacher, learner]) => ({ guide: guide[teacher], student: student[learner] }));
}
