import { expect, test } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { compile, f32 } from "../step.ts";
import { Variable } from "../variable.ts";
import type { Kernel } from "./kernel.ts";

/** A backend with buffers of at most 1 kB, and the kernels it was asked to lower. */
function smallBackend() {
  const cpu = cpuBackend();
  const lowered: Kernel[] = [];
  const limits = { ...cpu.limits, maxBufferBytes: 1000 };
  const lower = (kernel: Kernel) => {
    lowered.push(kernel);
    return { dispatches: 1, scratch: [], family: "loops" };
  };
  return { backend: Object.assign(cpu, { limits, lower }), lowered };
}

test("a tensor larger than any buffer is refused with both numbers before its kernel is lowered", async () => {
  const { backend, lowered } = smallBackend();
  const weight = new Variable([1e6, 1e6], 0, { name: "fc.weight" });
  const reads = compile(backend, { x: f32(1, 1) }, ({ x }) => ({ y: weight.mul(x).sum() }));
  await expect(reads).rejects.toThrow(
    /compile: "fc\.weight" needs 4000\.00 GB and one buffer of cpu float32 holds at most 1\.0 kB\. Use a smaller/,
  );
  const makes = compile(backend, { x: f32(20) }, ({ x }) => ({ y: x.reshape([20, 1]).matmul(x.reshape([1, 20])) }));
  await expect(makes).rejects.toThrow(/matmul.*needs 1\.6 kB and one buffer of cpu float32 holds at most 1\.0 kB/);
  const input = compile(backend, { images: f32(1e8, 1e8) }, ({ images }) => ({ y: images.sum() }));
  await expect(input).rejects.toThrow(/"images" needs 40000000\.00 GB/);
  expect(lowered).toEqual([]);
});

test("tensors that fit are lowered", async () => {
  const { backend, lowered } = smallBackend();
  await compile(backend, { x: f32(250) }, ({ x }) => ({ y: x.exp() }));
  expect(lowered).toHaveLength(1);
});
