import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contiguousStrides, elementCount } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { tensor } from "../values.ts";
import { axisCoordinates, type Coordinates, inputCoordinates, linearView, reshapeCoordinates } from "./coordinates.ts";
import type { View } from "./kernel.ts";

/** Every index of a domain, row-major. */
function indices(domain: readonly number[]): number[][] {
  return domain.reduce<number[][]>(
    (lists, size) => lists.flatMap((list) => Array.from({ length: size }, (_, i) => [...list, i])),
    [[]],
  );
}

const identity = (domain: readonly number[]): Coordinates =>
  axisCoordinates(
    domain.map((_, axis) => axis),
    domain.length,
  );
const valueAt = ({ offset, strides }: View, index: readonly number[]): number =>
  strides.reduce((sum, stride, d) => sum + stride * index[d], offset);
const elementsOf = (coordinates: Coordinates, shape: readonly number[], domain: readonly number[]): number[] =>
  indices(domain).map((index) => valueAt(linearView(coordinates, shape, domain.length), index));

const factors = fc.array(fc.constantFrom(1, 2, 3), { maxLength: 5 });
/** Neighbours multiplied together where `joins` says so. */
function grouped(sizes: readonly number[], joins: readonly boolean[]): number[] {
  const groups: number[] = [];
  sizes.forEach((size, i) => {
    if (joins[i] && groups.length > 0) groups[groups.length - 1] *= size;
    else groups.push(size);
  });
  return groups;
}
const joins = fc.array(fc.boolean(), { minLength: 5, maxLength: 5 });

/** A domain seen through a permutation, a slice and a broadcast: coordinates in a tensor of `shape`. */
const viewed = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
    fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
  )
  .map(([shape, random]) => {
    const order = shape.map((_, axis) => axis).sort((a, b) => random[a] - random[b]);
    const start = shape.map((size, axis) => random[4 + axis] % size);
    const repeated = shape.map((_, axis) => random[8 + axis] % 3 === 0);
    // domain dimension d walks axis order[d]
    const domain = order.map((axis) => (repeated[axis] ? 2 : shape[axis] - start[axis]));
    const coordinates = shape.map((_, axis) => ({
      offset: start[axis],
      strides: order.map((walked) => (walked === axis && !repeated[axis] ? 1 : 0)),
    }));
    return { shape, domain, coordinates };
  });

describe("reshapeCoordinates", () => {
  it("find the same element in the new shape, in range on every axis, for any view", () => {
    fc.assert(
      fc.property(viewed, joins, fc.boolean(), ({ shape, domain, coordinates }, join, lead) => {
        const to = [...(lead ? [1] : []), ...grouped(shape, join)];
        const reshaped = reshapeCoordinates(coordinates, shape, to, domain);
        if (!reshaped) return;
        expect(elementsOf(reshaped, to, domain)).toEqual(elementsOf(coordinates, shape, domain));
        for (const index of indices(domain))
          reshaped.forEach((axis, i) => {
            expect(valueAt(axis, index)).toBeGreaterThanOrEqual(0);
            expect(valueAt(axis, index)).toBeLessThan(to[i]);
          });
      }),
      { numRuns: 500 },
    );
  });

  it("exist whenever axes only split", () => {
    fc.assert(
      fc.property(factors, joins, (sizes, join) => {
        // the domain has the fine axes
        const coarse = grouped(sizes, join);
        const reshaped = reshapeCoordinates(identity(sizes), sizes, coarse, sizes);
        expect(reshaped && elementsOf(reshaped, coarse, sizes)).toEqual(elementsOf(identity(sizes), sizes, sizes));
      }),
    );
  });

  it("do not exist where a domain dimension straddles two axes", () => {
    expect(reshapeCoordinates(identity([6]), [6], [2, 3], [6])).toBeUndefined();
    expect(reshapeCoordinates(identity([2, 3]), [2, 3], [3, 2], [2, 3])).toBeUndefined();
  });
});

describe("inputCoordinates", () => {
  const x = tensor(
    Float64Array.from({ length: 24 }, (_, i) => i),
    [2, 3, 4],
  );
  const row = tensor([0, 1, 2, 3], [4]);

  it.each<[string, Tensor]>([
    ["transpose", x.transpose([2, 0, 1])],
    ["slice", x.slice([1, 0, 2], [2, 2, 4])],
    ["broadcast to more axes", row.broadcast([2, 3, 4])],
    ["broadcast of an axis of size 1", x.slice([0, 1, 0], [2, 2, 4]).broadcast([2, 5, 4])],
    ["reshape that joins what is read apart", x.reshape([6, 4]).reshape([2, 3, 4])],
  ])("of a %s read the elements its reference copies", (_, moved) => {
    const [input] = moved.inputs;
    const coordinates = inputCoordinates(moved, identity(moved.shape), moved.shape) as Coordinates;
    const places = Float64Array.from({ length: elementCount(input.shape) }, (_, i) => i);
    const expected = new Float64Array(moved.size);
    moved.op.reference([places], [input], moved.attrs, expected);
    expect(elementsOf(coordinates, input.shape, moved.shape)).toEqual([...expected]);
  });

  it("of the identity are the identity", () => {
    expect(linearView(identity([2, 3, 4]), [2, 3, 4], 3)).toEqual({ offset: 0, strides: contiguousStrides([2, 3, 4]) });
  });
});
