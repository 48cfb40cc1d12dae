// The rules of a trace, one test each.

import { describe, expect, it } from "vitest";
import { cpuBackend } from "./backend/cpu.ts";
import { grad } from "./grad.ts";
import type { HostValue } from "./host-value.ts";
import * as nn from "./nn/index.ts";
import { Adam, SGD } from "./optim/index.ts";
import { compile, f32 } from "./step.ts";
import type { Tensor } from "./tensor.ts";
import { afterScalars, hostScalar } from "./trace.ts";
import { constant, tensor } from "./values.ts";
import { Variable } from "./variable.ts";

const backend = cpuBackend({ precision: "float64", poison: true });
const values = ({ data }: HostValue): number[] => [...data];
const read = async (variable: Variable): Promise<number[]> => [...(await variable.read())];

describe("versions of a Variable", () => {
  it("a read gives what the last assign before it left, and the last assign is stored", async () => {
    const count = new Variable([], 1);
    const step = await compile(backend, {}, () => {
      const first = count.mul(10);
      count.assign(count.add(1));
      const second = count.mul(10);
      count.assign(count.add(1));
      return { first, second, third: count.mul(10) };
    });
    const { first, second, third } = await step({});
    expect([first, second, third].map(Number)).toEqual([10, 20, 30]);
    expect(await read(count)).toEqual([3]);
  });

  it("an assign is done even if nothing else needs it", async () => {
    const seen = new Variable([2], 0);
    const step = await compile(backend, { x: f32(2) }, ({ x }) => {
      seen.assign(x.mul(2));
      return {};
    });
    await step({ x: [1, 2] });
    expect(await read(seen)).toEqual([2, 4]);
  });

  it("an assigned value that is assigned over is not computed", async () => {
    const seen = new Variable([2], 0);
    const step = await compile(backend, { x: f32(2) }, ({ x }) => {
      seen.assign(x.exp());
      seen.assign(x.mul(2));
      return {};
    });
    expect(step.plan.describe()).not.toContain("exp");
  });

  it("equal reads of different versions are not merged", async () => {
    const value = new Variable([], 3);
    const step = await compile(backend, {}, () => {
      const before = value.mul(value);
      value.assign(5);
      return { before, after: value.mul(value) };
    });
    const { before, after } = await step({});
    expect([before, after].map(Number)).toEqual([9, 25]);
  });

  it("a returned Variable gives its last version", async () => {
    const value = new Variable([2], [1, 2]);
    const step = await compile(backend, {}, () => {
      value.assign(value.add(1));
      return { value };
    });
    expect(values((await step({})).value)).toEqual([2, 3]);
  });

  it("a declared output keeps the old value that the step overwrites", async () => {
    const value = new Variable([3], [1, 2, 3]);
    const step = await compile(backend, {}, () => {
      const old = value.asTensor();
      value.assign(value.mul(2));
      return { old, doubled: old.mul(2), reversed: old.slice([1], [3]) };
    });
    for (const scale of [1, 2]) {
      const { old, doubled, reversed } = await step({});
      expect(values(old)).toEqual([1, 2, 3].map((x) => x * scale));
      expect(values(doubled)).toEqual([2, 4, 6].map((x) => x * scale));
      expect(values(reversed)).toEqual([2, 3].map((x) => x * scale));
    }
  });

  it("two Variables can exchange their values", async () => {
    const [a, b] = [new Variable([2], [1, 2]), new Variable([2], [3, 4])];
    const step = await compile(backend, {}, () => {
      const old = a.asTensor();
      a.assign(b);
      b.assign(old);
      return {};
    });
    await step({});
    expect([await read(a), await read(b)]).toEqual([
      [3, 4],
      [1, 2],
    ]);
  });

  it("a write in place waits for readers at other places", async () => {
    const value = new Variable([2, 2], [1, 2, 3, 4]);
    const step = await compile(backend, {}, () => {
      value.assign(value.add(value.transpose()));
      return {};
    });
    await step({});
    expect(await read(value)).toEqual([2, 5, 5, 8]);
  });

  it("assign outside a traced function is refused", () => {
    expect(() => new Variable([], 0, { name: "mean" }).assign(1)).toThrow(
      /assign of "mean".*outside a traced function/,
    );
  });

  it("an assign of another shape or dtype is refused, naming the Variable", async () => {
    const mean = new Variable([2], 0, { name: "bn.mean" });
    const assigning = (value: () => Tensor) =>
      compile(backend, {}, () => {
        mean.assign(value());
        return {};
      });
    await expect(assigning(() => tensor([1, 2, 3]))).rejects.toThrow(/"bn.mean".*f32\[2\].*f32\[3\]/);
    await expect(assigning(() => tensor([1, 2], [2], "i32"))).rejects.toThrow(/"bn.mean".*i32\[2\]/);
  });
});

describe("gradients", () => {
  it("are taken with respect to the version the step began with", async () => {
    const weight = new Variable([], 3);
    const step = await compile(backend, {}, () => {
      const loss = weight.mul(weight);
      weight.assign(100);
      const [before] = grad(loss, [weight]);
      const [through] = grad(loss.add(weight), [weight]);
      return { before, through };
    });
    const { before, through } = await step({});
    expect([before, through].map(Number)).toEqual([6, 6]);
  });

  it("a parameter assigned before minimize is an error that names it", async () => {
    const weight = new Variable([], 3, { name: "fc.weight" });
    const sgd = new SGD([weight], { learningRate: 1 });
    const attempt = compile(backend, {}, () => {
      const loss = weight.mul(weight);
      weight.assign(1);
      sgd.minimize(loss);
      return {};
    });
    await expect(attempt).rejects.toThrow(/"fc.weight" was assigned before/);
  });

  it("a Variable used twice gets one summed gradient and one update", async () => {
    const weight = new Variable([], 2);
    const sgd = new SGD([weight, weight], { learningRate: 0.5 });
    const step = await compile(backend, { x: f32() }, ({ x }) => {
      sgd.minimize(weight.mul(x).add(weight.mul(3)));
      return {};
    });
    await step({ x: 1 });
    expect(await read(weight)).toEqual([2 - 0.5 * (1 + 3)]);
  });

  it("a second optimizer that updates the same Variable is an error that names it", async () => {
    const weight = new Variable([], 2, { name: "fc.weight" });
    const attempt = compile(backend, {}, () => {
      new SGD([weight], { learningRate: 1 }).minimize(weight.mul(2));
      new Adam([weight], { learningRate: 1 }).apply(new Map([[weight, constant(1)]]));
      return {};
    });
    await expect(attempt).rejects.toThrow(/"fc.weight" is already updated by another optimizer/);
  });

  it("minimize is apply of gradients, so that something fits between", async () => {
    const [plain, clipped] = [new Variable([], 2), new Variable([], 2)];
    const step = await compile(backend, {}, () => {
      new SGD([plain], { learningRate: 1 }).minimize(plain.mul(5));
      const sgd = new SGD([clipped], { learningRate: 1 });
      const gradients = sgd.gradients(clipped.mul(5));
      sgd.apply(new Map([...gradients].map(([parameter, gradient]) => [parameter, gradient.minimum(1)])));
      return {};
    });
    await step({});
    expect([await read(plain), await read(clipped)]).toEqual([[-3], [1]]);
  });

  it("of a target the loss does not depend on are an error that names it", () => {
    const [weight, other] = [new Variable([], 1, { name: "a" }), new Variable([], 1, { name: "fc2.bias" })];
    expect(() => grad(weight.mul(2), [other])).toThrow(/does not depend on "fc2.bias"/);
  });

  it("of anything but one number are an error", () => {
    expect(() => grad(tensor([1, 2]), [tensor([1])])).toThrow(/the loss is f32\[2\].*one f32 number/);
  });

  it("work outside a trace too", async () => {
    const weight = new Variable([2], [1, 2]);
    const [gradient] = grad(weight.mul(weight).sum(), [weight]);
    expect(values(await gradient.data(backend))).toEqual([2, 4]);
  });
});

describe("numbers from the host", () => {
  it("a captured number is a constant for ever", async () => {
    let factor = 2;
    const step = await compile(backend, { x: f32() }, ({ x }) => ({ y: x.mul(factor) }));
    factor = 3;
    expect(Number((await step({ x: 10 })).y)).toBe(20);
  });

  it("a host scalar is evaluated before each run, in float64, and needs no new plan", async () => {
    let calls = 0;
    const step = await compile(backend, {}, () => ({ y: hostScalar("rate", () => 1 / (3 + calls++)).mul(1) }));
    expect(calls).toBe(0);
    expect(Number((await step({})).y)).toBe(1 / 3);
    expect(Number((await step({})).y)).toBe(1 / 4);
  });

  it("what comes after the host scalars is done once a run", async () => {
    let counter = 0;
    const step = await compile(backend, {}, () => {
      afterScalars(() => {
        counter++;
      });
      const scalar = hostScalar("counter", () => counter);
      return { twice: scalar.add(scalar), again: hostScalar("counter", () => counter).mul(1) };
    });
    for (const run of [0, 1, 2]) {
      const { twice, again } = await step({});
      expect([twice, again].map(Number)).toEqual([2 * run, run]);
    }
  });

  it("the learning rate changes between runs of one step", async () => {
    const weight = new Variable([], 0);
    const sgd = new SGD([weight], { learningRate: 1 });
    const step = await compile(backend, {}, () => {
      sgd.minimize(weight.neg());
      return {};
    });
    await step({});
    sgd.learningRate = 10;
    await step({});
    expect(await read(weight)).toEqual([11]);
  });
});

describe("a loss that is not finite", () => {
  const train = async (optimizer: Adam | SGD, weight: Variable, seen: Variable) =>
    compile(backend, { x: f32() }, ({ x }) => {
      seen.assign(seen.add(x));
      const loss = weight.mul(x);
      optimizer.minimize(loss);
      return { loss };
    });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("of %d keeps the old value of everything assigned", async (bad) => {
    const [weight, seen] = [new Variable([], 1), new Variable([], 0)];
    const adam = new Adam([weight], { learningRate: 0.1 });
    const step = await train(adam, weight, seen);
    await step({ x: 2 });
    const all = () => Promise.all([weight, seen, ...adam.stateVariables().values()].map(read));
    const before = await all();
    const { loss } = await step({ x: bad });
    expect(Number.isFinite(Number(loss))).toBe(false);
    expect(await all()).toEqual(before);
  });

  it("does not stop later steps", async () => {
    const [weight, seen] = [new Variable([], 1), new Variable([], 0)];
    const step = await train(new SGD([weight], { learningRate: 1 }), weight, seen);
    await step({ x: Number.NaN });
    await step({ x: 2 });
    expect([await read(weight), await read(seen)]).toEqual([[-1], [2]]);
  });
});

describe("what a traced function may use", () => {
  it("constants from outside", async () => {
    const table = tensor([1, 2, 3]);
    const step = await compile(backend, { x: f32(3) }, ({ x }) => ({ y: x.mul(table).sum() }));
    expect(Number((await step({ x: [1, 1, 1] })).y)).toBe(6);
  });

  it("no tensor of another trace", async () => {
    let leaked: Tensor | undefined;
    await compile(backend, { x: f32(2) }, ({ x }) => {
      leaked = x.mul(2);
      return { leaked };
    });
    const attempt = compile(backend, { x: f32(2) }, ({ x }) => ({ y: x.add(leaked as Tensor) }));
    await expect(attempt).rejects.toThrow(/made outside this traced function/);
  });

  it("no Variable read outside", async () => {
    const outside = new Variable([], 1).mul(2);
    await expect(compile(backend, {}, () => ({ outside }))).rejects.toThrow(/made outside this traced function/);
  });

  it("no promise: an async function is refused", async () => {
    const attempt = compile(backend, {}, (async () => ({ one: constant(1) })) as never);
    await expect(attempt).rejects.toThrow(/returned a promise.*synchronous/);
  });

  it("no output that is not a tensor", async () => {
    await expect(compile(backend, {}, () => ({ loss: 3 }) as never)).rejects.toThrow(/output "loss" is number/);
  });

  it("no compile inside", async () => {
    let inner: Promise<unknown> | undefined;
    await compile(backend, {}, () => {
      inner = compile(backend, {}, () => ({}));
      return {};
    });
    await expect(inner).rejects.toThrow(/inside a traced function/);
  });

  it("after an error, the next trace starts clean", async () => {
    const failing = compile(backend, {}, () => {
      throw new Error("mine");
    });
    await expect(failing).rejects.toThrow("mine");
    const step = await compile(backend, {}, () => ({ one: constant(1) }));
    expect(Number((await step({})).one)).toBe(1);
  });
});

describe("a shape error", () => {
  class Student extends nn.Module {
    readonly fc1 = new nn.Linear(4, 3);
    readonly fc2 = new nn.Linear(5, 2);
    forward(x: Tensor): Tensor {
      return this.fc2.call(this.fc1.call(x));
    }
  }

  it("comes while tracing and names the layer and the shapes", async () => {
    const student = new Student().named("student");
    const attempt = compile(backend, { x: f32(8, 4) }, ({ x }) => ({ y: student.call(x) }));
    await expect(attempt).rejects.toThrow(/in "student.fc2": x is \[8, 3\], weight is \[2, 5\]/);
  });

  it("of an op names both operands", () => {
    expect(() => tensor([1, 2]).add(tensor([1, 2, 3]))).toThrow(/add: a is f32\[2\], b is f32\[3\]/);
    expect(() => tensor([1, 2], [1, 2]).matmul(tensor([1, 2, 3], [3, 1]))).toThrow(
      /matmul: a is \[1, 2\], b is \[3, 1\]/,
    );
  });
});
