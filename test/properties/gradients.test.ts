// The gradient of every op, and the gradient of that gradient, against central differences in float64.

import { cpuBackend, grad, tensor } from "@guidance/tensor";
import fc from "fast-check";
import { expect, it } from "vitest";
import { allCases, type OpCase } from "../support/generators.ts";
import { checkSlopes } from "../support/slopes.ts";

const backend = cpuBackend({ precision: "float64", poison: true });

const names = [...allCases.keys()].filter((name) => name !== "detach");

it.each(names)("%s has the slopes its gradient, and the gradient of it, say", async (name) => {
  const cases = (allCases.get(name) as fc.Arbitrary<OpCase>).filter(({ smooth }) => smooth !== false);
  await fc.assert(
    fc.asyncProperty(cases, (one) => checkSlopes(backend, one)),
    { numRuns: 30 },
  );
});

it("no gradient flows through detach", async () => {
  const x = tensor([2, 3]);
  const [gradient] = grad(x.detach().mul(x).sum(), [x]);
  expect([...(await gradient.data(backend)).data]).toEqual([2, 3]);
});
