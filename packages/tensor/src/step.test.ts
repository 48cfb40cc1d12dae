// What a Step does when it is run, and what it leaves to others: modes, Variables, buffers, results, inputs.

import { describe, expect, it } from "vitest";
import { cpuBackend } from "./backend/cpu.ts";
import type { HostValue } from "./host-value.ts";
import * as nn from "./nn/index.ts";
import { compile, f32, i32 } from "./step.ts";
import type { Tensor } from "./tensor.ts";
import { constant, tensor } from "./values.ts";
import { Variable } from "./variable.ts";

const backend = cpuBackend({ precision: "float64", poison: true });
const values = ({ data }: HostValue): number[] => [...data];
const read = async (variable: Variable): Promise<number[]> => [...(await variable.read())];

describe("steps", () => {
  it("compile traces every time", async () => {
    let traces = 0;
    const traced = () => {
      traces++;
      return { one: constant(1) };
    };
    await compile(backend, {}, traced);
    await compile(backend, {}, traced);
    expect(traces).toBe(2);
  });

  it("a step keeps the mode its modules had when it was traced", async () => {
    const layer = new nn.Dropout(0.5);
    const traced = ({ x }: { x: Tensor }) => ({ y: layer.call(x) });
    layer.train();
    const training = await compile(backend, { x: f32(64) }, traced);
    layer.eval();
    const evaluating = await compile(backend, { x: f32(64) }, traced);
    layer.train();
    const x = new Float32Array(64).fill(1);
    expect(new Set(values((await evaluating({ x })).y))).toEqual(new Set([1]));
    layer.eval();
    expect(new Set(values((await training({ x })).y))).toEqual(new Set([0, 2]));
  });

  it("share Variables", async () => {
    const count = new Variable([], 0);
    const increase = await compile(backend, {}, () => {
      count.assign(count.add(1));
      return {};
    });
    const show = await compile(backend, {}, () => ({ count }));
    await increase({});
    await increase({});
    expect(Number((await show({})).count)).toBe(2);
  });

  it("free their buffers when closed, never the Variables", async () => {
    const own = cpuBackend();
    const weight = new Variable([4], 1);
    const step = await compile(own, { x: f32(4) }, ({ x }) => {
      weight.assign(weight.add(x));
      return { y: weight.mul(2).sum() };
    });
    await step({ x: [1, 1, 1, 1] });
    step.close();
    expect(own.liveBytes).toBe(4 * 4);
    expect(await read(weight)).toEqual([2, 2, 2, 2]);
    await expect(step({ x: [1, 1, 1, 1] })).rejects.toThrow(/closed/);
  });

  it("a Variable belongs to the backend that used it first; another is an error naming both", async () => {
    const weight = new Variable([], 1, { name: "fc.weight" });
    await compile(cpuBackend({ precision: "float32" }), {}, () => ({ weight }));
    const attempt = compile(backend, {}, () => ({ weight }));
    await expect(attempt).rejects.toThrow(/"fc.weight": it lives on cpu float32 but is used on cpu float64/);
  });

  it("give their results in the order of the calls when several are under way", async () => {
    const count = new Variable([], 0);
    const step = await compile(backend, { x: f32() }, ({ x }) => {
      count.assign(count.add(1));
      return { count, x: x.mul(1) };
    });
    const finished: number[] = [];
    const runs = [0, 1, 2, 3, 4].map(async (x) => {
      const result = await step({ x });
      finished.push(x);
      return [Number(result.x), Number(result.count)];
    });
    expect(await Promise.all(runs)).toEqual([0, 1, 2, 3, 4].map((x) => [x, x + 1]));
    expect(finished).toEqual([0, 1, 2, 3, 4]);
  });

  it("have results that later runs do not change", async () => {
    const step = await compile(backend, { x: f32(2) }, ({ x }) => ({ y: x.add(1) }));
    const first = await step({ x: [1, 2] });
    await step({ x: [5, 6] });
    expect(values(first.y)).toEqual([2, 3]);
  });

  it("say which input is missing or has the wrong size", async () => {
    const step = await compile(backend, { images: f32(2, 3), labels: i32(2) }, ({ images }) => ({ y: images.sum() }));
    await expect(step({ images: [1, 2, 3, 4, 5], labels: [0, 1] })).rejects.toThrow(
      /"images": 5 values.*6 values for f32\[2, 3\]/,
    );
    await expect(step({ images: new Float32Array(6) } as never)).rejects.toThrow(/"labels": nothing/);
  });
});

describe("eager values", () => {
  it("are computed on the CPU", async () => {
    expect(values(await tensor([1, 2]).add(1).data())).toEqual([2, 3]);
  });

  it("of Variables are computed where these live, and see what steps left", async () => {
    const weight = new Variable([2], [1, 2]);
    const step = await compile(backend, {}, () => {
      weight.assign(weight.mul(1 / 3));
      return {};
    });
    await step({});
    expect(values(await weight.mul(3).data())).toEqual([1, 2]);
  });
});
