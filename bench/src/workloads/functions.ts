/** Batch norm, CKA, and many tiny ops. */
import { type Backend, batchNorm, grad, linearCka } from "@guidance/tensor";
import { alignments, features, batchNorm as sizes } from "../../peers/data.mjs";
import { timeOp } from "./time-op.ts";

export function normalization(backend: Backend) {
  const { N, C, size } = sizes;
  const image = [N, C, size, size];
  return timeOp(backend, {
    name: `batch norm ${C} @${size}, value and gradient`,
    operands: [image, [C], [C], image],
    apply(x, weight, bias, direction) {
      const { output } = batchNorm(x, weight, bias, 1e-5);
      return [output, ...grad(output.mul(direction).sum(), [x, weight, bias])];
    },
  });
}

export async function alignment(backend: Backend) {
  const timings = [];
  for (const d of alignments) {
    timings.push(
      await timeOp(backend, {
        name: `CKA 64x${d}, value and gradient`,
        flops: 2 * 64 * 64 * d * 3,
        operands: [
          [64, d],
          [64, d],
        ],
        apply(x, y) {
          const value = linearCka(x, y);
          return [value, ...grad(value, [x])];
        },
        values: [() => features(d, 0, 7), () => features(d, 1, 5)],
        weights: [1, d],
      }),
    );
  }
  return timings;
}

export function tiny(backend: Backend) {
  return timeOp(backend, {
    name: "1000 tiny ops",
    operands: [[64, 64]],
    apply(x) {
      let y = x.mul(1);
      for (let i = 0; i < 250; i++)
        y = y
          .add(y.sum(i % 2).mul(1e-3))
          .tanh()
          .mul(0.999);
      return [y];
    },
  });
}
