// Batch norm has its gradient in closed form; the same formula through `moments` derives it op by op. Both must give the
// same values, gradients and gradients of gradients.

import { batchNorm, compile, cpuBackend, f32, grad, moments, type Operand, type Tensor } from "@guidance/tensor";
import fc from "fast-check";
import { expect, it } from "vitest";
import { checkSlopes, project } from "../support/slopes.ts";

const backend = cpuBackend({ precision: "float64", poison: true });
const EPSILON = 1e-3;

/** (x - mean) / sqrt(variance + epsilon) * weight + bias over all axes but 1, of ops whose gradients are derived. */
function derived(x: Operand, weight: Operand, bias: Operand): Tensor {
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const lined = (values: Operand) => values.reshape(x.shape.map((size, axis) => (axis === 1 ? size : 1)));
  const { variance, centered } = moments(x, axes);
  return centered
    .mul(lined(variance.add(EPSILON).sqrt().reciprocal()))
    .mul(lined(weight))
    .add(lined(bias));
}

const shapes = fc.oneof(
  fc.tuple(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 4 })),
  fc.tuple(...[2, 3, 3, 2].map((max) => fc.integer({ min: 1, max }))).filter(([N, , H, W]) => N * H * W > 1),
);
const valuesOf = (count: number) =>
  fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: count, maxLength: count });
const cases = shapes.chain((shape) =>
  fc.record({
    shape: fc.constant(shape as number[]),
    x: valuesOf(shape.reduce((product, size) => product * size, 1)),
    weight: valuesOf(shape[1]),
    bias: valuesOf(shape[1]),
  }),
);

it("batch norm's closed form is the derived one, to the second order", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ shape, x, weight, bias }) => {
      const channels = f32(shape[1]);
      const step = await compile(backend, { x: f32(...shape), weight: channels, bias: channels }, (inputs) => {
        const targets = [inputs.x, inputs.weight, inputs.bias] as const;
        const results = [batchNorm(...targets, EPSILON).output, derived(...targets)];
        const outputs = results.flatMap((output) => {
          const first = grad(project(output.mul(output).add(output), 1), targets);
          const slope = first.map((gradient, i) => project(gradient, 2 + i)).reduce((sum, part) => sum.add(part));
          return [output, ...first, ...grad(slope, targets)];
        });
        return Object.fromEntries(outputs.map((tensor, i) => [`${i}`, tensor]));
      });
      const outputs = Object.values(await step({ x, weight, bias }));
      const half = outputs.length / 2;
      for (let i = 0; i < half; i++) {
        const [closed, expected] = [[...outputs[i].data], [...outputs[half + i].data]];
        const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        for (const [at, value] of closed.entries())
          expect(Math.abs(value - expected[at]) / scale, `output ${i} at ${at}`).toBeLessThanOrEqual(1e-9);
      }
      step.close();
    }),
    { numRuns: 60 },
  );
});

it("batch norm's gradients are its slopes", async () => {
  const wave = (count: number, salt: number) => Float64Array.from({ length: count }, (_, i) => Math.sin(i * i + salt));
  const inputs = [[3, 2, 2, 3], [2], [2]].map((shape, i) => ({
    shape,
    dtype: "f32" as const,
    values: wave(
      shape.reduce((product, size) => product * size, 1),
      i,
    ),
  }));
  await checkSlopes(backend, { inputs, apply: ([x, weight, bias]) => batchNorm(x, weight, bias, EPSILON).output });
});
