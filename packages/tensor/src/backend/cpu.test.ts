import { describe, expect, it } from "vitest";
import { nn, optim } from "../index.ts";
import { compile, f32 } from "../step.ts";
import { Variable } from "../variable.ts";
import { cpuBackend } from "./cpu.ts";

describe("the CPU backend", () => {
  it("refuses a plan above its budget before anything is allocated, with the numbers", async () => {
    const backend = cpuBackend({ budgetBytes: 10_000 });
    const attempt = compile(backend, { x: f32(1000) }, ({ x }) => ({ y: x.mul(2).sum(), z: x.exp() }));
    await expect(attempt).rejects.toThrow(/the plan needs \d+\.\d kB more, 0 B are in use.*cpu float32 is 10\.0 kB/);
    expect(backend.liveBytes).toBe(0);
  });

  it("counts Variables once, however many steps use them", async () => {
    const backend = cpuBackend();
    const weight = new Variable([100], 1);
    await compile(backend, {}, () => ({ a: weight.sum() }));
    const before = backend.liveBytes;
    await compile(backend, {}, () => ({ a: weight.sum() }));
    expect(backend.liveBytes - before).toBe(4);
  });

  it("holds nothing once its steps and Variables are closed", async () => {
    const backend = cpuBackend();
    const weight = new Variable([100], 1);
    const step = await compile(backend, { x: f32(100) }, ({ x }) => ({ y: x.mul(weight).sum() }));
    step.close();
    weight.close();
    expect(backend.liveBytes).toBe(0);
  });

  it("closes its steps and lets go of its Variables when it is closed", async () => {
    const backend = cpuBackend();
    const weight = new Variable([2], [1, 2]);
    const step = await compile(backend, {}, () => ({ weight }));
    await backend.close();
    await expect(step({})).rejects.toThrow(/closed/);
    expect(weight.backend).toBeUndefined();
    await expect(compile(backend, {}, () => ({ weight }))).rejects.toThrow(/its value was lost when it.*was closed/);
    await expect(compile(backend, { x: f32(2) }, ({ x }) => ({ x }))).rejects.toThrow(/cpu float32 is closed/);
  });

  it("moves values to another backend by reading and writing them", async () => {
    const [from, to] = [new Variable([2], 0), new Variable([2], 0)];
    const step = await compile(cpuBackend({ precision: "float64" }), {}, () => {
      from.assign(from.add(1 / 3));
      return {};
    });
    await step({});
    to.write(await from.read());
    const show = await compile(cpuBackend({ precision: "float32" }), {}, () => ({ to }));
    expect([...(await show({})).to.data]).toEqual([Math.fround(1 / 3), Math.fround(1 / 3)]);
  });

  it("holds as many bytes after 200 steps as after one", async () => {
    const backend = cpuBackend();
    const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 1));
    const adam = new optim.Adam(model.parameters(), { learningRate: 1e-2 });
    const step = await compile(backend, { x: f32(3, 4) }, ({ x }) => {
      const loss = model.call(x).mean();
      adam.minimize(loss);
      return { loss };
    });
    const x = new Float32Array(12).fill(0.5);
    await step({ x });
    const before = backend.liveBytes;
    for (let i = 0; i < 199; i++) await step({ x });
    expect(backend.liveBytes).toBe(before);
  });
});
