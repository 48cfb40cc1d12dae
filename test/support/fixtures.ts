/**
 * The PyTorch oracle: files of test/fixtures, whose README states their meaning, recipe and tolerances.
 *
 * Only outputs are stored; inputs and weights follow from a name by the recipe below. GUIDANCE_FIXTURES, an absolute path,
 * names another set for the same tests. What is missing is an error, so that no test passes without its fixture.
 */

import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The files of a set. */
export type FixtureName = "recipe" | "cka" | "ops" | "layers" | "resnet18" | "trajectory" | "optim";

/** Real values: float32(offset + scale * (2u - 1)), u uniform in [0, 1); the offset is 0 unless given. */
export interface RealSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly scale: number;
  readonly offset?: number;
}

/** Whole numbers from 0 to `int` - 1. */
export interface IntegerSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly int: number;
}

/** Values of a tensor, row-major. */
export interface FixtureTensor<Data> {
  readonly shape: readonly number[];
  readonly data: Data;
}

function fixtureFolder(): string {
  const folder = process.env.GUIDANCE_FIXTURES || fileURLToPath(new URL("../fixtures", import.meta.url));
  if (isAbsolute(folder)) return folder;
  throw new Error(`GUIDANCE_FIXTURES is "${folder}". Expected an absolute path. Prefix it with the current folder.`);
}

/** The parsed file `name` of the set; throws where it is missing or no JSON. */
export function loadFixture<T>(name: FixtureName): T {
  const path = join(fixtureFolder(), `${name}.json`);
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`Fixture "${path}" cannot be read: ${message}. Unset GUIDANCE_FIXTURES, or complete that folder.`);
  }
}

/** 32-bit FNV-1a hash of the UTF-8 bytes of `text`. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Element `index` of the stream that begins at `hash`: a float64 in [0, 1). */
function uniform(hash: number, index: number): number {
  let x = (hash + Math.imul(index, 0x9e3779b9)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

/** The values of a spec: Float32Array for real ones, Int32Array for whole numbers. */
export function makeTensor(spec: RealSpec): FixtureTensor<Float32Array>;
export function makeTensor(spec: IntegerSpec): FixtureTensor<Int32Array>;
export function makeTensor(spec: RealSpec | IntegerSpec): FixtureTensor<Float32Array | Int32Array>;
export function makeTensor(spec: RealSpec | IntegerSpec): FixtureTensor<Float32Array | Int32Array> {
  const count = spec.shape.reduce((product, size) => product * size, 1);
  const hash = fnv1a32(spec.name);
  const data = "int" in spec ? new Int32Array(count) : new Float32Array(count);
  for (let index = 0; index < count; index++) {
    const u = uniform(hash, index);
    data[index] = "int" in spec ? Math.floor(u * spec.int) : (spec.offset ?? 0) + spec.scale * (2 * u - 1);
  }
  return { shape: spec.shape, data };
}

/** The values of a real spec, rounded to float32 and widened again: the fixtures' float64 runs begin with those. */
export function makeFloat64Tensor(spec: RealSpec): FixtureTensor<Float64Array> {
  const { shape, data } = makeTensor(spec);
  return { shape, data: Float64Array.from(data) };
}

/** A stored number: those that JSON lacks are the strings "NaN", "Infinity" and "-Infinity". */
export function number(stored: number | string): number {
  if (typeof stored === "number") return stored;
  if (stored === "NaN" || stored === "Infinity" || stored === "-Infinity") return Number(stored);
  throw new Error(`The fixture holds "${stored}". Expected a number, "NaN", "Infinity" or "-Infinity".`);
}
