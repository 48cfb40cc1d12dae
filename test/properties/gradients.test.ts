// The gradient of every op, and the gradient of that gradient, against central differences in float64.

import { cpuBackend, grad, tensor } from "@guidance/tensor";
import fc from "fast-check";
import { expect, it } from "vitest";
import { allCases, type OpCase } from "../support/generators.ts";
import { checkSlopes } from "../support/slopes.ts";

const backend = cpuBackend({ precision: "float64", poison: true });

/** Ops that round, or stop gradients, have tests of their own. */
const names = [...allCases.keys()].filter((name) => name !== "detach" && !/castF16|of halves/.test(name));

it.each(names)("%s has the slopes its gradient, and the gradient of it, say", async (name) => {
  const cases = (allCases.get(name) as fc.Arbitrary<OpCase>).filter(({ smooth }) => smooth !== false);
  await fc.assert(
    fc.asyncProperty(cases, (one) => checkSlopes(backend, one)),
    { numRuns: 30 },
  );
});

it("a gradient flows through halves as if they were exact, and is rounded as they were", async () => {
  const x = tensor([1 + 2 ** -12, 3]);
  const weights = tensor([1 + 2 ** -13, 70_000]);
  const half = x.cast("f16");
  const [gradient] = grad(half.cast("f32").mul(weights).sum(), [x]);
  expect([...(await half.cast("f32").data(backend)).data]).toEqual([1, 3]);
  expect([...(await gradient.data(backend)).data]).toEqual([1, Infinity]);
});

it("a product of halves has the gradients of the product of their values", async () => {
  const [a, b] = [tensor([1, 2]).reshape([1, 2]).cast("f16"), tensor([3, 4]).reshape([2, 1]).cast("f16")];
  const gradients = grad(a.matmul(b).sum(), [a, b]);
  expect(gradients.map(({ dtype }) => dtype)).toEqual(["f32", "f32"]);
  expect([...(await gradients[0].data(backend)).data]).toEqual([3, 4]);
  expect([...(await gradients[1].data(backend)).data]).toEqual([1, 2]);
});

it("no gradient flows through detach", async () => {
  const x = tensor([2, 3]);
  const [gradient] = grad(x.detach().mul(x).sum(), [x]);
  expect([...(await gradient.data(backend)).data]).toEqual([2, 3]);
});
