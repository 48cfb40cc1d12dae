import { expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { compile, f32 } from "../step.ts";
import { Variable } from "../variable.ts";

const backend = cpuBackend();

it("makes small things of large ones before more large ones are made", async () => {
  const { plan } = await compile(backend, { x: f32(4, 64) }, ({ x }) => {
    const features = [0, 1, 2].map((axis) => x.add(axis).pad([0, 0], [0, axis + 1]));
    const grams = features.map((feature) => feature.matmul(feature, { transposeB: true }));
    return { gram: grams[0].matmul(grams[1]).matmul(grams[2]) };
  });
  expect(plan.calls.map(({ kernel: { core } }) => core?.op ?? "map").filter((op) => op !== "map")).toEqual([
    "pad",
    "matmul",
    "pad",
    "matmul",
    "matmul",
    "pad",
    "matmul",
    "matmul",
  ]);
});

it("stores a Variable as soon as nothing reads its old value any more", async () => {
  const first = new Variable([8, 8], 1, { name: "first" });
  const second = new Variable([8, 8], 1, { name: "second" });
  const { plan } = await compile(backend, { x: f32(8, 8) }, ({ x }) => {
    const y = x.matmul(first);
    const z = y.matmul(second);
    first.assign(y.matmul(x));
    return { z: z.matmul(first) };
  });
  const stored = plan.buffers.findIndex(({ label }) => label === "first");
  expect(plan.calls.map(({ outputs }) => outputs.includes(stored))).toEqual([false, true, false, false]);
});
