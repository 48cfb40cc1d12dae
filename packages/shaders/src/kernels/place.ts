/**
 * Where in an index space a piece of shader text stands: the linear index and the coordinate along each
 * dimension, as WGSL names. Coordinates come at the lowest price: from the loop that already has them, from a
 * neighbouring factorization of the same space, or, last, by dividing the linear index.
 */
import type { ShaderBuilder } from "./builder.ts";
import { divide } from "./division.ts";

/** An index space. Text that stands at one element of it asks for coordinates through this. */
export interface Place {
  /** Sizes of the space, row-major. */
  readonly sizes: readonly number[];
  /** The row-major index: a u32 name (the first of four lanes at width 4), or a term that needs no parentheses. */
  linear(): string;
  /** The coordinate along `axis`: likewise. */
  coordinate(axis: number): string;
}

/**
 * A place given by its linear index; coordinates are divided out when first asked for. Use it within one block:
 * the names it declares are not visible outside.
 *
 * @param key stem of the parameter names (the sizes), unique per space within the shader
 */
export function linearPlace(shader: ShaderBuilder, sizes: readonly number[], index: string, key = "size"): Place {
  const coordinates: string[] = [];
  const count = sizes.reduce((product, size) => product * size, 1);
  function split(): void {
    let rest = index;
    let bound = count;
    for (let axis = sizes.length - 1; axis > 0; axis--) {
      if (sizes[axis] === 1) {
        coordinates[axis] = "0u";
        continue;
      }
      // all outer dimensions are of size 1: nothing is left to divide
      if (bound === sizes[axis]) {
        coordinates[axis] = rest;
        rest = "0u";
        bound = 1;
        continue;
      }
      const { quotient, remainder } = divide(shader, rest, `${key}${axis}`, sizes[axis], bound);
      coordinates[axis] = remainder;
      rest = quotient;
      bound /= sizes[axis];
    }
    coordinates[0] = rest;
  }
  return {
    sizes,
    linear: () => index,
    coordinate(axis) {
      if (coordinates.length === 0) split();
      return coordinates[axis];
    },
  };
}

/**
 * A place of which all coordinates are known.
 *
 * @param linear the row-major index where it is at hand too; otherwise it is computed when asked for
 */
export function knownPlace(
  shader: ShaderBuilder,
  sizes: readonly number[],
  coordinates: readonly string[],
  linear?: string,
  key = "size",
): Place {
  let index = linear;
  return {
    sizes,
    linear() {
      index ??= shader.let("index", horner(shader, sizes, coordinates, 0, sizes.length, key));
      return index;
    },
    coordinate: (axis) => coordinates[axis],
  };
}

/**
 * The same element seen in another factorization of the space, e.g. [N * H * W, C] as [N, H, W, C]. Dimensions
 * that are products of neighbouring dimensions of `place` are multiplied up; if some dimension is not, all are
 * divided out of the linear index.
 */
export function reshapePlace(shader: ShaderBuilder, place: Place, sizes: readonly number[], key = "domain"): Place {
  const groups = groupDimensions(place.sizes, sizes);
  if (!groups) return linearPlace(shader, sizes, place.linear(), key);
  const made: string[] = [];
  return {
    sizes,
    linear: () => place.linear(),
    coordinate(axis) {
      const [from, to] = groups[axis];
      made[axis] ??=
        to - from === 1
          ? place.coordinate(from)
          : shader.let(
              "coordinate",
              horner(
                shader,
                place.sizes,
                place.sizes.map((_, d) => (d >= from && d < to ? place.coordinate(d) : "")),
                from,
                to,
                `${key}From`,
              ),
            );
      return made[axis];
    },
  };
}

/** ((c0 * s1 + c1) * s2 + c2)... over axes [from, to). */
function horner(
  shader: ShaderBuilder,
  sizes: readonly number[],
  coordinates: readonly string[],
  from: number,
  to: number,
  key: string,
): string {
  let text = "";
  for (let axis = from; axis < to; axis++) {
    if (sizes[axis] === 1) continue;
    text =
      text === ""
        ? coordinates[axis]
        : `(${text}) * ${shader.param(`${key}${axis}`, "u32", sizes[axis])} + ${coordinates[axis]}`;
  }
  return text === "" ? "0u" : text;
}

/** For each of `sizes` the run [from, to) of `known` dimensions whose product it is, or undefined. */
export function groupDimensions(known: readonly number[], sizes: readonly number[]): [number, number][] | undefined {
  const groups: [number, number][] = [];
  let next = 0;
  for (const size of sizes) {
    const from = next;
    let product = 1;
    while (product < size && next < known.length) product *= known[next++];
    if (product !== size) return undefined;
    groups.push([from, next]);
  }
  while (next < known.length) if (known[next++] !== 1) return undefined;
  return groups;
}
