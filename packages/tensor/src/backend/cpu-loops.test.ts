import fc from "fast-check";
import { expect, it } from "vitest";
import { type ElementwiseName, elementwiseRows } from "../ops/elementwise.ts";
import { fastLoops } from "./cpu-loops.ts";

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
