/** The backend on a real device: steady state, budget, order of runs, errors and loss. */
import {
  type Backend,
  compile,
  cpuBackend,
  DeviceLostError,
  f32,
  type Kernel,
  LimitError,
  optim,
  u8,
  Variable,
} from "@guidance/tensor";
import { afterEach, describe, expect, test } from "vitest";
import { load, openWith, runKernel, singlePlan, f32 as type } from "./backend.test.support.ts";
import type { BackendOptions, WebGpuBackend } from "./backend.ts";

const open: WebGpuBackend[] = [];
async function backendWith(options: BackendOptions = {}): Promise<WebGpuBackend> {
  const backend = await openWith(options);
  open.push(backend);
  return backend;
}
afterEach(async () => {
  for (const backend of open.splice(0)) await backend.close();
});

/** x + 1 in place on a buffer of its own, so that each run sees the last. */
const increment: Kernel = {
  label: "layer.counter add",
  path: "layer.counter",
  inputs: [type(5)],
  domain: [5],
  core: undefined,
  body: [
    load(0, [1]),
    { kind: "constant", value: 1, dtype: "f32" },
    { kind: "apply", op: "add", arguments: [0, 1], dtype: "f32" },
  ],
  outputs: [{ type: type(5), expression: 2 }],
};

async function counter(backend: WebGpuBackend) {
  const plan = singlePlan(backend, increment, { overwrites: [0] });
  const buffers = plan.buffers.map(({ bytes, label }) => backend.allocate(bytes, label));
  backend.write(buffers[0], new Float32Array(5));
  return { plan, buffers, program: await backend.prepare(plan, buffers) };
}

describe("programs", () => {
  test("a step creates nothing after it is prepared, and live bytes stay flat", async () => {
    const backend = await backendWith();
    const weight = new Variable([20, 3], 0.1);
    const step = await compile(backend, { x: f32(8, 20), y: f32(8, 3) }, ({ x, y }) => {
      const loss = x.matmul(weight).sub(y).mul(x.matmul(weight).sub(y)).mean();
      new optim.Adam([weight], { learningRate: 0.01 }).minimize(loss);
      return { loss };
    });
    const batch = { x: new Float32Array(160).fill(0.5), y: new Float32Array(24).fill(2) };
    const first = await step(batch);
    const { submits, ...created } = backend.counters;
    const bytes = backend.liveBytes;
    let last = first;
    for (let i = 0; i < 200; i++) last = await step(batch);
    expect(backend.counters).toEqual({ ...created, submits: submits + 200 });
    expect(backend.liveBytes).toBe(bytes);
    expect(last.loss.data[0]).toBeLessThan(first.loss.data[0] / 10);
    step.close();
  });

  test("what a plan begins with is all the pipelines that it needs", async () => {
    const backend = await backendWith();
    const plan = singlePlan(backend, increment, { overwrites: [0] });
    backend.begin(plan);
    const { pipelines, shaderModules } = backend.counters;
    expect(pipelines).toBe(1);
    const buffers = plan.buffers.map(({ bytes, label }) => backend.allocate(bytes, label));
    const program = await backend.prepare(plan, buffers);
    expect(backend.counters).toMatchObject({ pipelines, shaderModules });
    backend.write(buffers[0], new Float32Array(5));
    expect(new Float32Array((await backend.run(program))[0])).toEqual(new Float32Array(5).fill(1));
  });

  test("runs are queued in call order, three at once", async () => {
    const backend = await backendWith();
    const { buffers, program } = await counter(backend);
    const runs = [1, 2, 3].map(() => backend.run(program));
    const results = await Promise.all(runs);
    expect(results.map(([bytes]) => new Float32Array(bytes)[0])).toEqual([1, 2, 3]);
    backend.write(buffers[0], new Float32Array(5).fill(10));
    const after = backend.run(program);
    backend.write(buffers[0], new Float32Array(5).fill(100));
    expect(new Float32Array((await after)[0])[4]).toBe(11);
    expect(new Float32Array(await backend.read(buffers[0]))[0]).toBe(100);
  });

  test("packed bytes and host scalars come in through a compiled step", async () => {
    const backend = await backendWith();
    const cpu: Backend = cpuBackend();
    const build = (on: Backend) => compile(on, { x: u8(3, 7) }, ({ x }) => ({ y: x.cast("f32").mul(0.5).sum(1) }));
    const x = Uint8Array.from({ length: 21 }, (_, i) => i * 12);
    const [gpu, reference] = [await build(backend), await build(cpu)];
    expect((await gpu({ x })).y.data).toEqual((await reference({ x })).y.data);
  });

  test("pipelines are shared by kernels of other sizes", async () => {
    const backend = await backendWith();
    const run = (count: number) =>
      runKernel(
        backend,
        { ...increment, inputs: [type(count)], domain: [count], outputs: [{ type: type(count), expression: 2 }] },
        [new Float32Array(count)],
      );
    await run(400);
    const { pipelines } = backend.counters;
    await run(444);
    expect(backend.counters.pipelines).toBe(pipelines);
  });
});

test("constants of 0, -0, infinity and NaN are kernels of their own", async () => {
  const backend = await backendWith();
  const expected: [number, number][] = [
    [0, Infinity],
    [-0, -Infinity],
    [Infinity, 0],
    [-Infinity, -0],
    [Number.NaN, Number.NaN],
  ];
  for (const [factor, result] of expected) {
    const step = await compile(backend, { x: f32(2) }, ({ x }) => ({ y: x.mul(factor).reciprocal() }));
    expect([...(await step({ x: Float32Array.of(1, 2) })).y.data]).toEqual([result, result]);
    step.close();
  }
});

describe("limits", () => {
  test("a buffer beyond the budget is refused with numbers, and nothing is created", async () => {
    const backend = await backendWith({ budgetBytes: 1000 });
    const kept = backend.allocate(600, "kept");
    const { buffers } = backend.counters;
    expect(() => backend.allocate(500, "layer.weight")).toThrow(LimitError);
    expect(() => backend.allocate(500, "layer.weight")).toThrow(
      /"layer.weight" needs 500 B.*600 B of the budget of 1.0 kB/,
    );
    expect(backend.counters.buffers).toBe(buffers);
    backend.free(kept);
    expect(backend.liveBytes).toBe(0);
    expect(backend.allocate(500, "layer.weight").bytes).toBe(500);
  });

  test("a program that does not fit leaves nothing behind", async () => {
    const probe = await backendWith();
    const { program } = await counter(probe);
    const full = probe.liveBytes;
    program.close();
    // room for all but the last staging buffer, then for none
    for (const budgetBytes of [full - 4, full - 24]) {
      const backend = await backendWith({ budgetBytes });
      const plan = singlePlan(backend, increment, { overwrites: [0] });
      const buffers = plan.buffers.map(({ bytes, label }) => backend.allocate(bytes, label));
      const before = backend.liveBytes;
      await expect(backend.prepare(plan, buffers)).rejects.toThrow(LimitError);
      expect(backend.liveBytes).toBe(before);
    }
  });

  test("a buffer beyond the device's limit is refused with numbers", async () => {
    const backend = await backendWith({ budgetBytes: Number.POSITIVE_INFINITY });
    expect(() => backend.allocate(2 ** 40, "huge")).toThrow(/"huge" needs 1099.51 GB and one buffer/);
  });

  test("software devices have a budget by default", async () => {
    const backend = await backendWith();
    if (backend.traits.software) expect(backend.limits.budgetBytes).toBeLessThan(2 ** 42);
    expect(backend.limits.budgetBytes).toBeGreaterThan(0);
  });

  test("empty and odd buffers are padded for the device", async () => {
    const backend = await backendWith();
    expect(backend.allocate(0, "empty").bytes).toBe(16);
    const odd = backend.allocate(17, "odd");
    expect(odd.bytes).toBe(20);
    backend.write(
      odd,
      Uint8Array.from({ length: 17 }, (_, i) => i),
    );
    expect([...new Uint8Array(await backend.read(odd)).slice(0, 17)]).toEqual(Array.from({ length: 17 }, (_, i) => i));
    expect([...new Uint8Array(await backend.read(odd, 4, 8))]).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(() => backend.write(odd, new Uint8Array(21))).toThrow(/21 bytes were given for "odd", which holds 20/);
  });
});

describe("errors", () => {
  test("a shader that does not compile names its kernel", async () => {
    const backend = await backendWith();
    const wrong: Kernel = {
      ...increment,
      body: increment.body.map((expression) =>
        expression.kind === "apply" ? { ...expression, op: "sqrt", dtype: "u32" } : expression,
      ),
      outputs: [{ type: { shape: [5], dtype: "i32" }, expression: 2 }],
    };
    await expect(runKernel(backend, wrong, [new Float32Array(5)])).rejects.toThrow(
      /kernel "layer.counter add".*refused/,
    );
  });

  test("a lost device gives one error that says so", async () => {
    const backend = await backendWith();
    const { program } = await counter(backend);
    const message = /^run: the device was lost \(.*destroyed.*\): .*/;
    const underWay = backend.run(program);
    backend.opened.device.destroy();
    await expect(underWay).rejects.toThrow(message);
    await expect(backend.run(program)).rejects.toThrow(message);
    await backend.opened.lost;
    expect(() => backend.allocate(4, "late")).toThrow(DeviceLostError);
    await expect(Promise.resolve().then(() => backend.run(program))).rejects.toThrow(DeviceLostError);
  });

  test("closing the backend closes what was opened with it first", async () => {
    const backend = await backendWith();
    const order: string[] = [];
    backend.onClose(() => order.push("step"));
    backend.onClose(() => order.push("never"))();
    await backend.close();
    await backend.close();
    expect(order).toEqual(["step"]);
    expect(() => backend.allocate(4, "late")).toThrow(/closed/);
  });

  test("closing a program while it runs waits for the run", async () => {
    const backend = await backendWith();
    const { buffers, program } = await counter(backend);
    const run = backend.run(program);
    program.close();
    expect(new Float32Array((await run)[0])[0]).toBe(1);
    for (const buffer of buffers) backend.free(buffer);
    expect(backend.liveBytes).toBe(0);
  });
});
