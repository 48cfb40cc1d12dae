import { describe, expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { crossEntropy } from "../functions/index.ts";
import { roundToHalf } from "../half.ts";
import { Adam } from "../optim/index.ts";
import { Generator } from "../random.ts";
import { compile, f32, i32 } from "../step.ts";
import * as nn from "./index.ts";

const WIDTH = 64;
const BATCH = 32;

function network() {
  const generator = new Generator(1);
  const block = () => [new nn.Linear(WIDTH, WIDTH, { generator }), new nn.ReLU()];
  return new nn.Sequential(...Array.from({ length: 8 }, block).flat()).named("student");
}

async function planOf(halves: boolean) {
  const model = network();
  if (halves) nn.storeHalves(model);
  const adam = new Adam(model.parameters(), { learningRate: 1e-3 });
  const inputs = { x: f32(BATCH, WIDTH), labels: i32(BATCH) };
  return compile(cpuBackend(), inputs, ({ x, labels }) => {
    const loss = crossEntropy(model.call(x), labels);
    adam.minimize(loss);
    return { loss };
  });
}

describe("a network that stores halves", () => {
  it("keeps nothing of its activations or their gradients in float32 but what the loss reads", async () => {
    const [wide, narrow] = [await planOf(false), await planOf(true)];
    const stored = (dtype: string) =>
      narrow.plan.calls.flatMap(({ kernel }) =>
        kernel.outputs.filter(({ type }) => type.dtype === dtype && type.shape.join() === `${BATCH},${WIDTH}`),
      );
    expect(stored("f16").length).toBe(2 * 8);
    expect(stored("f32")).toEqual([]);
    expect(narrow.plan.calls.length).toBe(wide.plan.calls.length);
    expect(narrow.plan.memory.temporaries).toBeLessThan(0.75 * wide.plan.memory.temporaries);
  });

  it("hands on rounded values, also when it is prepared twice", async () => {
    const model = new nn.Sequential(new nn.Linear(3, 2, { generator: new Generator(5) }));
    const x = [0.1, 0.2, 0.3];
    await using backend = cpuBackend();
    const outputs = async () => {
      const step = await compile(backend, { x: f32(1, 3) }, (given) => ({ y: model.call(given.x) }));
      return [...(await step({ x })).y.data];
    };
    const exact = await outputs();
    nn.storeHalves(model);
    nn.storeHalves(model);
    expect(await outputs()).toEqual(exact.map(roundToHalf));
  });
});
