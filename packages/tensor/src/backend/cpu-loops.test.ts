import fc from "fast-check";
import { expect, it } from "vitest";
import { type ElementwiseName, elementwiseRows } from "../ops/elementwise.ts";
import { applyLoop, fastLoops } from "./cpu-loops.ts";

it.each(Object.keys(fastLoops) as ElementwiseName[])("the loop of %s gives the bits of its row", (name) => {
  const values = fc.array(fc.double(), { minLength: 5, maxLength: 5 }).map((list) => Float64Array.from(list));
  fc.assert(
    fc.property(fc.tuple(values, values, values, values), ([a, b, c, d]) => {
      const actual = new Float64Array(5);
      fastLoops[name]?.(actual, 5, a, b, c, d);
      const { evaluate } = elementwiseRows[name];
      expect(actual).toEqual(a.map((_, i) => evaluate(a[i], b[i], c[i], d[i])));
    }),
  );
});

it.each([Int32Array, Uint32Array])("the loop of mul keeps the low 32 bits of products in %s", (Integers) => {
  const values = fc
    .array(fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }), { minLength: 5, maxLength: 5 })
    .map((list) => new Integers(list));
  fc.assert(
    fc.property(values, values, (a, b) => {
      const actual = new Integers(5);
      applyLoop("mul", [a, b], actual, 5);
      const low = (i: number) => Number(BigInt.asIntN(32, BigInt(a[i]) * BigInt(b[i])));
      expect(actual).toEqual(new Integers([0, 1, 2, 3, 4].map(low)));
    }),
  );
});
