import { describe, expect, test } from "vitest";
import { compile, cpuBackend, f32, Generator, i32, nn, optim } from "../index.ts";

async function values(layer: { weight: { read(): Promise<ArrayLike<number>> } }): Promise<number[]> {
  return Array.from(await layer.weight.read());
}

describe("initial values", () => {
  test("of Linear fill +-1/sqrt(inputs) evenly, as torch's do", async () => {
    const weights = await values(new nn.Linear(100, 400, { generator: new Generator(3) }));
    const bound = 1 / Math.sqrt(100);
    expect(Math.max(...weights.map(Math.abs))).toBeLessThanOrEqual(bound);
    const variance = weights.reduce((sum, weight) => sum + weight * weight, 0) / weights.length;
    // 40,000 draws: the sample variance is within 2 % of bound^2 / 3
    expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 1.5);
  });

  test("of Conv2d use the fan-in of the kernel", async () => {
    const weights = await values(new nn.Conv2d(4, 64, 5, { generator: new Generator(3) }));
    const largest = Math.max(...weights.map(Math.abs));
    expect(largest).toBeLessThanOrEqual(0.1);
    expect(largest).toBeGreaterThan(0.099);
  });

  test("follow from the seed alone", async () => {
    const make = (seed: number) => values(new nn.Linear(7, 5, { generator: new Generator(seed) }));
    expect(await make(4)).toEqual(await make(4));
    expect(await make(4)).not.toEqual(await make(5));
  });
});

describe("BatchNorm", () => {
  test("moves its running statistics only when training", async () => {
    const backend = cpuBackend();
    const layer = new nn.BatchNorm1d(2);
    const x = [0, 10, 2, 14];
    const run = async () => {
      const step = await compile(backend, { x: f32(2, 2) }, (inputs) => ({ y: layer.call(inputs.x) }));
      const { y } = await step({ x });
      step.close();
      return [...y.data];
    };
    const trained = await run();
    expect(trained[0]).toBeCloseTo(-1, 4);
    // 0.9 * 0 + 0.1 * mean; 0.9 * 1 + 0.1 * unbiased variance
    expect([...(await layer.running_mean.read())]).toEqual([expect.closeTo(0.1, 6), expect.closeTo(1.2, 6)]);
    expect([...(await layer.running_var.read())]).toEqual([expect.closeTo(1.1, 6), expect.closeTo(1.7, 6)]);
    expect([...(await layer.num_batches_tracked.read())]).toEqual([1]);
    layer.eval();
    const evaluated = await run();
    expect(evaluated[0]).toBeCloseTo((0 - 0.1) / Math.sqrt(1.1), 4);
    expect([...(await layer.num_batches_tracked.read())]).toEqual([1]);
  });

  test("refuses to train on one value per channel", async () => {
    const layer = new nn.BatchNorm1d(3).named("bn");
    const attempt = compile(cpuBackend(), { x: f32(1, 3) }, ({ x }) => ({ y: layer.call(x) }));
    await expect(attempt).rejects.toThrow(/batchNorm in "bn".*one value per channel.*two values/);
  });
});

describe("Dropout", () => {
  const run = async (layer: nn.Dropout, runs: number) => {
    const step = await compile(cpuBackend(), { x: f32(1000) }, ({ x }) => ({ y: layer.call(x) }));
    const results: number[][] = [];
    for (let i = 0; i < runs; i++) results.push([...(await step({ x: new Float32Array(1000).fill(1) })).y.data]);
    step.close();
    return results;
  };

  test("zeroes about its rate, scales the rest, and draws anew each run", async () => {
    const [first, second] = await run(new nn.Dropout(0.25, { generator: new Generator(5) }), 2);
    const zeros = first!.filter((value) => value === 0).length;
    expect(zeros).toBeGreaterThan(200);
    expect(zeros).toBeLessThan(300);
    expect(new Set(first)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    expect(second).not.toEqual(first);
  });

  test("continues the same stream from a saved counter", async () => {
    const generator = new Generator(5);
    const [, second] = await run(new nn.Dropout(0.5, { generator }), 2);
    const resumed = new Generator(5);
    resumed.counter = 1;
    const [again] = await run(new nn.Dropout(0.5, { generator: resumed }), 1);
    expect(again).toEqual(second);
  });

  test("does nothing in evaluation", async () => {
    const layer = new nn.Dropout(0.5);
    layer.eval();
    expect((await run(layer, 1))[0]!.every((value) => value === 1)).toBe(true);
  });
});

describe("optimizers", () => {
  test("take their learning rate anew before each run, without a recompile", async () => {
    const model = new nn.Linear(1, 1, { bias: false });
    model.weight.write([0]);
    const sgd = new optim.SGD(model.parameters(), { learningRate: 1 });
    const step = await compile(cpuBackend(), { x: f32(1, 1), unused: i32(1) }, ({ x }) => {
      const loss = model.call(x).sum();
      sgd.minimize(loss);
      return { loss };
    });
    await step({ x: [1], unused: [0] });
    sgd.learningRate = 0.25;
    await step({ x: [1], unused: [0] });
    expect([...(await model.weight.read())]).toEqual([-1.25]);
    expect(sgd.stepCount).toBe(2);
    step.close();
  });
});

test.each([-0.1, 1, 1.5, Number.NaN])("Dropout refuses rate %d", (rate) => {
  expect(() => new nn.Dropout(rate)).toThrow(/dropout: the rate is .*at least 0 and below 1/);
});
