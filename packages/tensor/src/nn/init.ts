/** Initial values, made on the host in float64 and rounded once, so a seed gives the same weights everywhere. */
import { defaultGenerator, type Generator, normalValues, uniformValues } from "../random.ts";
import { elementCount } from "../shape.ts";
import type { InitialValue } from "../variable.ts";

/** Uniform in [-bound, bound]; draws a stream now, the values when first needed. */
export function uniformInitial(
  shape: readonly number[],
  bound: number,
  generator: Generator = defaultGenerator,
): InitialValue {
  const { seed } = generator;
  const stream = generator.nextStream();
  return () => new Float32Array(uniformValues(elementCount(shape), seed, stream, -bound, bound));
}

/** Normal with mean 0. */
export function normalInitial(
  shape: readonly number[],
  deviation: number,
  generator: Generator = defaultGenerator,
): InitialValue {
  const { seed } = generator;
  const stream = generator.nextStream();
  return () => new Float32Array(normalValues(elementCount(shape), seed, stream, 0, deviation));
}
