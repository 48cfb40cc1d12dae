/** What a comparison of whole features keeps of each layer, and how two of these become a number. */
import { type Backend, elementBytes, elementCount, type Relations, type TypedArray } from "@guidance/tensor";
import type { Similarity } from "../method/similarity.ts";
import { FeatureFunction } from "./feature-function.ts";
import type { Measure } from "./measures.ts";
import { type FeatureMatrix, loadedPrincipal, principal } from "./principal.ts";
import { cosine, dot } from "./products.ts";

type Shape = readonly number[];

/** A similarity in full. Layers and pairs come sorted by shape. */
export interface Method<Kept> {
  /** What is kept of features [n, ...]. */
  keep(features: FeatureMatrix): Kept | Promise<Kept>;
  /** How many bytes that takes on the host, at most. */
  keptBytes(shape: Shape): number;
  similarity(row: Kept, column: Kept): number | Promise<number>;
  /** What runs on the device, if anything does. */
  readonly device?: FeatureFunction;
  /** The shapes that it is given at once, of layers of both networks. */
  deviceShapes(rows: readonly Shape[], columns: readonly Shape[]): readonly (readonly Shape[])[];
}

/** The method of a measure, whatever it keeps. */
export function methodOf(backend: Backend, measure: Measure): Method<unknown> {
  switch (measure.kind) {
    case "relations":
      return ofRelations(backend, measure.relations);
    case "principal":
      return ofComponents(principal, measure.of, (n, d) => Math.min(n, d) * n);
    case "loaded":
      return ofComponents(loadedPrincipal, measure.of, (n, d) => Math.min(n, d) * (n + d));
    case "pairs":
      return ofPairs(backend, measure.of);
  }
}

/** Relations [n, n] of each layer, made on the device, and the square of their norm. */
function ofRelations(
  backend: Backend,
  relations: Relations,
): Method<{ readonly values: TypedArray; readonly square: number }> {
  const device = new FeatureFunction(backend, relations);
  return {
    device,
    deviceShapes: (rows, columns) => [...rows, ...columns].map((shape) => [shape]),
    async keep(features) {
      const { data } = await device.run(features);
      return { values: data, square: dot(data, data) };
    },
    keptBytes: ([n]) => n * n * elementBytes("f32", backend.precision),
    similarity: (a, b) => cosine(dot(a.values, b.values), a.square, b.square),
  };
}

/** Principal components of each layer, so many numbers of features [n, d], all of it on the host. */
function ofComponents<Kept>(
  keep: (features: FeatureMatrix) => Kept,
  similarity: (a: Kept, b: Kept) => number,
  count: (n: number, d: number) => number,
): Method<Kept> {
  const keptBytes = ([n, ...rest]: Shape) => 8 * count(n, elementCount(rest));
  return { deviceShapes: () => [], keep, keptBytes, similarity };
}

/** Features as they are, and a function of two of them on the device. */
function ofPairs(backend: Backend, similarity: Similarity): Method<FeatureMatrix> {
  const device = new FeatureFunction(backend, similarity);
  return {
    device,
    deviceShapes: (rows, columns) => rows.flatMap((row) => columns.map((column) => [row, column])),
    keep: (features) => features,
    keptBytes: (shape) => elementCount(shape) * elementBytes("f32", backend.precision),
    similarity: async (a, b) => (await device.run(a, b)).item(),
  };
}
