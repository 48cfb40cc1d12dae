// A Variable before, on and between backends.

import { describe, expect, it } from "vitest";
import type { Backend } from "./backend/backend.ts";
import { cpuBackend } from "./backend/cpu.ts";
import * as nn from "./nn/index.ts";
import { compile } from "./step.ts";
import { tensor } from "./values.ts";
import { Variable } from "./variable.ts";

describe("eager values", () => {
  it("of a Variable that lives nowhere do not bind it", async () => {
    const weight = new Variable([2], [1, 2]);
    expect([...(await weight.mul(2).data()).data]).toEqual([2, 4]);
    expect(weight.backend).toBeUndefined();
    const backend = cpuBackend({ precision: "float64" });
    const step = await compile(backend, {}, () => ({ weight }));
    expect([...(await step({})).weight.data]).toEqual([1, 2]);
    expect(weight.backend).toBe(backend);
  });

  it("leave nothing on the backend they were computed on", async () => {
    const backend = cpuBackend();
    await new Variable([2], [1, 2]).add(tensor([1, 2])).data(backend);
    expect(backend.liveBytes).toBe(0);
  });

  it("run a recipe once", async () => {
    let made = 0;
    const weight = new Variable([1], () => [++made]);
    await weight.data();
    await weight.read();
    const step = await compile(cpuBackend(), {}, () => ({ weight }));
    expect([made, (await step({})).weight.item()]).toEqual([1, 1]);
  });
});

describe("values", () => {
  it("written before the first use are copied", async () => {
    const [initial, written] = [Float32Array.of(1, 2), Float32Array.of(3, 4)];
    const [first, second] = [new Variable([2], initial), new Variable([2], 0)];
    second.write(written);
    initial.fill(9);
    written.fill(9);
    expect([...(await first.read())]).toEqual([1, 2]);
    expect([...(await second.read())]).toEqual([3, 4]);
  });

  it.each([
    ["nowhere", undefined],
    ["on a backend", cpuBackend()],
    ["in float64", cpuBackend({ precision: "float64" })],
  ])("are read in parts: %s", async (_, backend) => {
    // one more than a part of 32 MiB
    const elements = Float32Array.from({ length: 2 ** 23 + 1 }, (_value, i) => i);
    const weight = new Variable([elements.length], elements);
    if (backend) weight.bind(backend);
    const lengths: number[] = [];
    for await (const part of weight.readParts()) {
      const begin = lengths.reduce((sum, length) => sum + length, 0);
      expect([part[0], part[part.length - 1]]).toEqual([begin, begin + part.length - 1]);
      expect(part instanceof Float64Array).toBe(weight.precision === "float64");
      lengths.push(part.length);
    }
    const whole = { float32: [2 ** 23, 1], float64: [2 ** 22, 2 ** 22, 1] };
    expect(lengths).toEqual(backend ? whole[backend.precision] : [2 ** 23 + 1]);
  });

  it("keep their precision", async () => {
    const weight = new Variable([1], 0);
    weight.write(Float64Array.of(1 / 3));
    expect(await weight.read()).toEqual(Float64Array.of(1 / 3));
  });

  it.each<[string, () => unknown]>([
    ["given", () => new Variable([3], [1, 2], { name: "fc.bias" })],
    ["made by a recipe", () => new Variable([3], () => [1, 2], { name: "fc.bias" }).unbound("float32")],
  ])("of a wrong count are refused when %s", (_, make) => {
    expect(make).toThrow(/initial value of "fc\.bias": 2 values were given.*3 for shape \[3\]/);
  });

  it("of an integer Variable are whole", () => {
    const count = new Variable([1], 0, { name: "count", dtype: "i32" });
    expect(() => count.write([0.5])).toThrow(/write to "count": 0\.5 was given for i32/);
    expect(() => new Variable([1], 0.5, { dtype: "i32" }).unbound("float32")).toThrow(/0\.5 was given for i32/);
  });

  it("move to another backend as the error says", async () => {
    const layer = new nn.Linear(2, 1).named("fc");
    const used = (backend: Backend) => compile(backend, {}, () => ({ weight: layer.weight }));
    const [from, to] = [cpuBackend(), cpuBackend({ precision: "float64" })];
    (await used(from)).close();
    await expect(used(to)).rejects.toThrow(/stateDict.*close.*loadStateDict/);
    const state = await layer.stateDict();
    layer.close();
    layer.loadStateDict(state);
    const { weight } = await (await used(to))({});
    expect([...weight.data]).toEqual([...(state.get("weight")?.data ?? [])].map(Number));
  });
});

it("a compile that runs out of memory midway frees what it took", async () => {
  const backend = cpuBackend();
  const allocate = backend.allocate.bind(backend);
  let left = 2;
  backend.allocate = (bytes, label) => {
    if (left-- === 0) throw new Error("no memory");
    return allocate(bytes, label);
  };
  const attempt = compile(backend, {}, () => ({ a: tensor([1, 2]).sum(), b: tensor([3, 4]), c: tensor([5]).exp() }));
  await expect(attempt).rejects.toThrow("no memory");
  expect(backend.liveBytes).toBe(0);
});
