/**
 * What operands of half precision give on this device: products of f16 against the same of f32, in turn; the kernel of the
 * product alone counts: `node --import tsx src/half.ts` in the folder bench.
 */
import { createBackend, openDevice } from "@guidance/shaders";
import { compile, type Tensor, Variable } from "@guidance/tensor";
import { fill } from "../peers/data.mjs";
import { median } from "./result.ts";

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

interface Work {
  readonly flops: number;
  readonly shapes: readonly (readonly number[])[];
  apply(a: Tensor, b: Tensor): Tensor;
}

const works: Readonly<Record<string, Work>> = {
  "matmul 1024 NN": {
    flops: 2 * 1024 ** 3,
    shapes: [
      [1024, 1024],
      [1024, 1024],
    ],
    apply: (a, b) => a.matmul(b),
  },
  "matmul 1024 NT": {
    flops: 2 * 1024 ** 3,
    shapes: [
      [1024, 1024],
      [1024, 1024],
    ],
    apply: (a, b) => a.matmul(b, { transposeB: true }),
  },
  "Gram 64x65536": {
    flops: 2 * 64 * 64 * 65536,
    shapes: [[64, 65536]],
    apply: (a) => a.matmul(a, { transposeB: true }),
  },
  "conv 3x3 64>64 @56": {
    flops: 2 * 8 * 64 * 64 * 56 * 56 * 9,
    shapes: [
      [8, 64, 56, 56],
      [64, 64, 3, 3],
    ],
    apply: (x, weight) => x.conv2d(weight, { stride: [1, 1], padding: [1, 1] }),
  },
};

const backend = createBackend(await openDevice());
if (!backend.limits.halves) throw new Error(`${backend.name} has no shader-f16`);

/** The plan of a product whose operands are stored as `dtype`. */
async function planOf({ shapes, apply }: Work, dtype: "f32" | "f16") {
  const operands = shapes.map((shape) => new Variable(shape, () => fill(sizeOf(shape), 1)));
  const step = await compile(backend, {}, () => {
    const [a, b = a] = operands.map((operand) => operand.asTensor().cast(dtype));
    return { product: apply(a, b) };
  });
  step.close();
  for (const operand of operands) operand.close();
  return step.plan;
}

/** Seconds of the kernel with the product. */
async function secondsOf(plan: Awaited<ReturnType<typeof planOf>>): Promise<number> {
  const { calls } = await backend.profile(plan, 3);
  return calls.find(({ call }) => call.kernel.core)?.seconds ?? Number.NaN;
}

console.log(`${backend.name}\n\n| | f32 operands | f16 operands | ratio |\n| --- | --- | --- | --- |`);
for (const [name, work] of Object.entries(works)) {
  const plans = [await planOf(work, "f32"), await planOf(work, "f16")];
  const times: number[][] = [[], []];
  for (let round = 0; round < 6; round++) for (const [i, plan] of plans.entries()) times[i].push(await secondsOf(plan));
  const [f32, f16] = times.map(median);
  const speed = (seconds: number) =>
    `${(seconds * 1e3).toFixed(1)} ms, ${(work.flops / seconds / 1e9).toFixed(0)} GFLOP/s`;
  console.log(`| ${name} | ${speed(f32)} | ${speed(f16)} | ${(f16 / f32).toFixed(2)} |`);
}
await backend.close();
