/** The self-test must find a kernel that is wrong, and only that one. */
import { type Backend, cpuBackend, type Plan, type Program } from "@guidance/tensor";
import { expect, test } from "vitest";
import { runSelfTests, type SelfTestResult } from "./run.ts";

/** The CPU backend, except that `spoil` changes the outputs of plans with a kernel of `op`, or of all. */
function wrongBackend(spoil: (output: Float32Array) => void, op?: string): Backend {
  const backend = cpuBackend();
  const wrong = new WeakSet<Program>();
  const prepare = async (plan: Plan, buffers: Parameters<Backend["prepare"]>[1]) => {
    const program = await backend.prepare(plan, buffers);
    if (op === undefined || plan.calls.some(({ kernel }) => kernel.core?.op === op)) wrong.add(program);
    return program;
  };
  const run = async (program: Program) => {
    const outputs = await backend.run(program);
    if (wrong.has(program)) for (const output of outputs) spoil(new Float32Array(output));
    return outputs;
  };
  return new Proxy(backend, {
    get(target, name) {
      if (name === "prepare") return prepare;
      if (name === "run") return run;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function faults(backend: Backend): Promise<SelfTestResult[]> {
  const results: SelfTestResult[] = [];
  for await (const result of runSelfTests(backend)) if (result.fault !== undefined) results.push(result);
  await backend.close();
  return results;
}

test("a right backend has no fault, a wrong kernel is named", async () => {
  expect(await faults(cpuBackend())).toEqual([]);
  const shift = (output: Float32Array) => {
    output[1] += 0.01;
  };
  const found = await faults(wrongBackend(shift, "conv2dInputGrad"));
  expect(found).toEqual([{ op: "conv2dInputGrad", fault: expect.stringMatching(/differs from the CPU by/) }]);
});

const replace = (from: number, to: number) => (output: Float32Array) =>
  output.forEach((value, i) => {
    if (Object.is(value, from)) output[i] = to;
  });

test.each([
  ["NaN is lost", replace(Number.NaN, 0), ["add", "detach", "neg", "sum"]],
  ["the sign of a zero is lost", replace(-0, 0), ["add", "detach", "neg"]],
  [
    "a long sum drifts",
    (output: Float32Array) => {
      if (output[0] > 99_000 && output[0] < 101_000) output[0] *= 1 + 1.5e-5;
    },
    ["sum"],
  ],
])("%s: found", async (_name, spoil, ops) => {
  const found = await faults(wrongBackend(spoil));
  expect(found.map(({ op }) => op)).toEqual(expect.arrayContaining(ops));
});

test("special values are shown as they are", async () => {
  const found = await faults(wrongBackend(replace(-0, 0)));
  expect(found.find(({ op }) => op === "neg")?.fault).toBe(
    "differs from the CPU: NaN, -Infinity, Infinity, 0, 0, -1, 3e+38, -3e+38 instead of NaN, -Infinity, Infinity, -0, 0, -1, 3e+38, -3e+38",
  );
});
