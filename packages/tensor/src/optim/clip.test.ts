import { expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { compile } from "../step.ts";
import { Variable } from "../variable.ts";
import { clipGradients } from "./clip.ts";
import { SGD } from "./sgd.ts";

/** Steps of SGD on 3 a + 4 b, whose gradient has norm 5. */
async function moved(maxNorm: number) {
  const [a, b] = ["a", "b"].map((name) => new Variable([], 0, { name }));
  const sgd = new SGD([a, b], { learningRate: 1 });
  const step = await compile(cpuBackend(), {}, () => {
    const loss = a.mul(3).add(b.mul(4));
    const { gradients, norm } = clipGradients(sgd.gradients(loss), maxNorm);
    sgd.apply(gradients);
    return { norm };
  });
  const { norm } = await step({});
  return { norm: norm.item(), a: (await a.read())[0], b: (await b.read())[0] };
}

it("gradients beyond the norm are scaled to it, all by one factor", async () => {
  const { norm, a, b } = await moved(1);
  expect(norm).toBe(5);
  expect([a, b]).toEqual([expect.closeTo(-0.6, 6), expect.closeTo(-0.8, 6)]);
});

it("gradients within the norm stay as they are", async () => {
  expect(await moved(10)).toEqual({ norm: 5, a: -3, b: -4 });
});

it("a norm that is none is refused", () => {
  const gradients = new Map([[new Variable([1], 0), new Variable([1], 0).asTensor()]]);
  expect(() => clipGradients(gradients, 0)).toThrow(/largest norm is 0.*a norm above 0/s);
  expect(() => clipGradients(new Map(), 1)).toThrow(/0 gradients/);
});
