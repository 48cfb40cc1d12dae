/** Batched matrix product with either factor transposed: batch [B] or none, A [M,K] or [K,M], B [K,N] or [N,K]. */

import type { TensorType, TypedArray } from "../dtype.ts";
import { formatShape, ShapeError } from "../errors.ts";
import { OPERANDS } from "./accept.ts";
import type { OpDefinition } from "./define.ts";

/** Which factors are transposed. */
export interface MatmulAttrs {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Both factors are one tensor, and one of them is transposed: the result is symmetric. Set by the compiler. */
  readonly symmetric?: boolean;
}

/** Sizes of a product: M N K, and the batch count. */
export interface MatmulSizes {
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** M, N, K and batch of two operand types ([M,K] or [batch,M,K]). */
export function matmulSizes([a, b]: readonly TensorType[], { transposeA, transposeB }: MatmulAttrs): MatmulSizes {
  const rank = a.shape.length;
  const [rows, columns] = a.shape.slice(-2);
  const other = b.shape.slice(-2);
  const sizes = {
    batch: rank === 3 ? a.shape[0] : 1,
    M: transposeA ? columns : rows,
    K: transposeA ? rows : columns,
    N: transposeB ? other[0] : other[1],
  };
  const fits = (rank === 2 || rank === 3) && b.shape.length === rank && (rank === 2 || b.shape[0] === a.shape[0]);
  if (
    !fits ||
    (transposeB ? other[1] : other[0]) !== sizes.K ||
    ![a, b].every(({ dtype }) => OPERANDS.includes(dtype))
  ) {
    const mark = (type: TensorType, transposed: boolean) =>
      `${formatShape(type.shape)}${type.dtype === "f32" ? "" : ` ${type.dtype}`}${transposed ? " (transposed)" : ""}`;
    throw new ShapeError({
      what: "matmul",
      facts: `a is ${mark(a, transposeA)}, b is ${mark(b, transposeB)}`,
      expected: "f32 or f16 matrices whose inner sizes agree, with equal batch sizes",
      hint: "Flatten or transpose one of them first",
    });
  }
  return sizes;
}

/** The kernel the CPU backend runs; `out[m,n] = sum_k a[m,k] b[k,n]` per batch. */
function naive(
  a: TypedArray,
  b: TypedArray,
  { batch, M, N, K }: MatmulSizes,
  { transposeA, transposeB }: MatmulAttrs,
  output: TypedArray,
): void {
  for (let g = 0; g < batch; g++) {
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let sum = 0;
        for (let k = 0; k < K; k++) {
          sum +=
            a[g * M * K + (transposeA ? k * M + m : m * K + k)] * b[g * K * N + (transposeB ? n * K + k : k * N + n)];
        }
        output[(g * M + m) * N + n] = sum;
      }
    }
  }
}

/** [M,K] times [K,N], or batches of them (torch.matmul). */
export const matmul: OpDefinition<MatmulAttrs> = {
  name: "matmul",
  family: "core",
  infer(inputs, attrs) {
    const { batch, M, N } = matmulSizes(inputs, attrs);
    return { shape: inputs[0].shape.length === 3 ? [batch, M, N] : [M, N], dtype: "f32" };
  },
  reference: ([a, b], types, attrs, output) => naive(a, b, matmulSizes(types, attrs), attrs, output),
  // C = A B:  dA = dC B^T,  dB = A^T dC;  with A' = A^T: dA' = B dC^T, and so on
  vjp(grad, [a, b], _output, { transposeA, transposeB }) {
    return [
      transposeA
        ? b.matmul(grad, { transposeA: transposeB, transposeB: true })
        : grad.matmul(b, { transposeB: !transposeB }),
      transposeB
        ? grad.matmul(a, { transposeA: true, transposeB: transposeA })
        : a.matmul(grad, { transposeA: !transposeA }),
    ];
  },
};
