// Same seed, same bits on the same backend; and another seed, other bits.

import { openBackend } from "@guidance/shaders";
import { type Backend, compile, cpuBackend, f32, Generator, nn, optim } from "@guidance/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { openTier } from "../support/tiers.ts";

const webgpu = await openTier("webgpu", openBackend, ({ name }) => name);
afterAll(() => webgpu?.close());

/** Weights after a few steps with dropout, all random numbers from `seed`. */
async function train(backend: Backend, seed: number): Promise<number[]> {
  const generator = new Generator(seed);
  const model = new nn.Sequential(
    new nn.Linear(6, 32, { generator }),
    new nn.BatchNorm1d(32),
    new nn.ReLU(),
    new nn.Dropout(0.5, { generator }),
    new nn.Linear(32, 4, { generator }),
  );
  const adam = new optim.Adam(model.parameters(), { learningRate: 1e-2 });
  const step = await compile(backend, { x: f32(8, 6) }, ({ x }) => {
    const y = model.call(x);
    adam.minimize(y.mul(y).mean());
    return {};
  });
  const x = Float32Array.from({ length: 48 }, (_, i) => Math.sin(i));
  for (let run = 0; run < 5; run++) await step({ x });
  const weights = await Promise.all(model.parameters().map((parameter) => parameter.read()));
  step.close();
  adam.close();
  model.close();
  return weights.flatMap((values) => [...values]);
}

const backends: [string, Backend | undefined][] = [
  ["cpu float32", cpuBackend()],
  ["cpu float64", cpuBackend({ precision: "float64" })],
  ["webgpu", webgpu],
];

describe.each(backends)("on %s", (_, backend) => {
  it.skipIf(!backend)("two trainings from one seed end with the same bits, from two seeds with others", async () => {
    const first = await train(backend as Backend, 1);
    expect(first.every(Number.isFinite)).toBe(true);
    expect(await train(backend as Backend, 1)).toEqual(first);
    expect(await train(backend as Backend, 2)).not.toEqual(first);
  });
});
