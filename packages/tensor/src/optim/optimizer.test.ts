// The state of an optimizer: its names, and its memory.

import { expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { dropout } from "../functions/index.ts";
import * as nn from "../nn/index.ts";
import { Generator } from "../random.ts";
import { compile, f32 } from "../step.ts";
import { Variable } from "../variable.ts";
import { Adam } from "./adam.ts";

const twins = () => [new nn.Linear(2, 1), new nn.Linear(2, 1)];

it("parameters of one name are refused when the state is named", () => {
  const adam = new Adam(
    twins().flatMap((layer) => layer.parameters()),
    { learningRate: 1 },
  );
  expect(() => adam.stateVariables()).toThrow(/two parameters are named "weight".*model\.named\("student"\)/);
});

it("networks with a role each have states with names of their own", () => {
  const [a, b] = twins();
  a.named("a");
  b.named("b");
  const adam = new Adam([...a.parameters(), ...b.parameters()], { learningRate: 1 });
  expect([...adam.stateVariables().keys()]).toEqual([
    "a.weight.exp_avg",
    "a.weight.exp_avg_sq",
    "a.bias.exp_avg",
    "a.bias.exp_avg_sq",
    "b.weight.exp_avg",
    "b.weight.exp_avg_sq",
    "b.bias.exp_avg",
    "b.bias.exp_avg_sq",
  ]);
});

it("close frees all moments, also of parameters of one name", async () => {
  const backend = cpuBackend();
  const layers = twins();
  const adam = new Adam(
    layers.flatMap((layer) => layer.parameters()),
    { learningRate: 1 },
  );
  const step = await compile(backend, { x: f32(1, 2) }, ({ x }) => {
    const loss = layers.map((layer) => layer.call(x).sum()).reduce((sum, one) => sum.add(one));
    adam.minimize(loss);
    return { loss };
  });
  step.close();
  const parameters = layers.flatMap((layer) => layer.parameters()).reduce((sum, { size }) => sum + 4 * size, 0);
  expect(backend.liveBytes).toBe(3 * parameters);
  adam.close();
  expect(backend.liveBytes).toBe(parameters);
});

it("a run whose loss is not finite counts; with the counters set back it is repeated bit for bit", async () => {
  const train = async (batches: readonly number[], afterBad: (adam: Adam, generator: Generator) => void) => {
    const generator = new Generator(1);
    const weight = new Variable([8], 1);
    const adam = new Adam([weight], { learningRate: 0.1 });
    const step = await compile(cpuBackend(), { x: f32() }, ({ x }) => {
      const loss = dropout(weight, 0.5, generator).mul(x).sum();
      adam.minimize(loss);
      return { loss };
    });
    for (const x of batches) if (!Number.isFinite((await step({ x })).loss.item())) afterBad(adam, generator);
    return { weight: await weight.read(), steps: adam.stepCount, draws: generator.counter };
  };
  const clean = await train([1, 2, 3], () => {});
  const passed = await train([1, Number.NaN, 2, 3], () => {});
  expect([passed.steps, passed.draws]).toEqual([4, 4]);
  const repeated = await train([1, Number.NaN, 2, 3], (adam, generator) => {
    adam.stepCount--;
    generator.counter--;
  });
  expect(repeated).toEqual(clean);
});
