/** Products: square ones in all transposes, the shapes of networks, and shapes that break others. */
import type { Backend, Variable } from "@guidance/tensor";
import { type Product, productName, products } from "../../peers/data.mjs";
import { type OpWork, timeOp } from "./time-op.ts";

/** Layers of the demonstration's student and of fcn48, and Grams. */
const more: readonly Product[] = [
  ...["NN", "NT", "TN"].map((form) => ({ M: 128, N: 128, K: 128, form })),
  { M: 64, N: 256, K: 256, form: "NT" },
  { M: 64, N: 256, K: 256, form: "NN" },
  { M: 256, N: 256, K: 64, form: "TN" },
  { M: 64, N: 64, K: 65536, form: "NT" },
  { M: 64, N: 64, K: 4096, form: "TN" },
];

export function product({ M, N, K, form }: Product, copies = 1): OpWork {
  const [transposeA, transposeB] = [form[0] === "T", form[1] === "T"];
  return {
    name: productName({ M, N, K, form }),
    flops: 2 * M * N * K,
    operands: [transposeA ? [K, M] : [M, K], transposeB ? [N, K] : [K, N]],
    apply: (a: Variable, b: Variable) => [a.matmul(b, { transposeA, transposeB })],
    copies,
  };
}

export async function matmul(backend: Backend) {
  const timings = [];
  for (const each of products) timings.push(await timeOp(backend, product(each)));
  for (const each of more) timings.push(await timeOp(backend, product(each, 16)));
  return timings;
}
