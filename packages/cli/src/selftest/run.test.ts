/** The self-test must find a kernel that is wrong, and only that one. */
import { type Backend, cpuBackend, type Plan, type Program } from "@guidance/tensor";
import { expect, test } from "vitest";
import { runSelfTests, type SelfTestResult } from "./run.ts";

/** The CPU backend, except that plans with a kernel of `op` give a value that is off. */
function wrongBackend(op: string): Backend {
  const backend = cpuBackend();
  const wrong = new WeakSet<Program>();
  const prepare = async (plan: Plan, buffers: Parameters<Backend["prepare"]>[1]) => {
    const program = await backend.prepare(plan, buffers);
    if (plan.calls.some(({ kernel }) => kernel.core?.op === op)) wrong.add(program);
    return program;
  };
  const run = async (program: Program) => {
    const outputs = await backend.run(program);
    if (wrong.has(program)) new Float32Array(outputs[0])[1] += 0.01;
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
  const found = await faults(wrongBackend("conv2dInputGrad"));
  expect(found).toEqual([{ op: "conv2dInputGrad", fault: expect.stringMatching(/differs from the CPU by/) }]);
});
