/** Blocked versions of the heavy cores, tested against their `reference`; others run `reference` itself. */
import type { TensorType, TypedArray } from "../dtype.ts";
import type { CoreAttrs, CoreName } from "../ops/index.ts";
import { type MatmulAttrs, matmulSizes } from "../ops/matmul.ts";
import { blockedConv2d, blockedConv2dInputGrad, blockedConv2dWeightGrad } from "./cpu-blocked-conv.ts";
import { product, steps } from "./cpu-blocked-product.ts";

export type BlockedCore<Attrs> = (
  inputs: readonly TypedArray[],
  types: readonly TensorType[],
  attrs: Attrs,
  output: TypedArray,
) => void;

function blockedMatmul(
  [a, b]: readonly TypedArray[],
  types: readonly TensorType[],
  attrs: MatmulAttrs,
  output: TypedArray,
): void {
  const { batch, M, N, K } = matmulSizes(types, attrs);
  const [rowA, columnA] = attrs.transposeA ? [1, M] : [K, 1];
  const [rowB, columnB] = attrs.transposeB ? [K, 1] : [1, N];
  for (let g = 0; g < batch; g++) {
    product(
      { data: a, rows: steps(M, rowA, g * M * K), columns: steps(K, columnA) },
      { data: b, rows: steps(N, rowB, g * K * N), columns: steps(K, columnB) },
      { data: output, rows: steps(M, N, g * M * N), columns: steps(N, 1) },
    );
  }
}

export const blockedCores: { readonly [Name in CoreName]?: BlockedCore<CoreAttrs[Name]> } = {
  matmul: blockedMatmul,
  conv2d: blockedConv2d,
  conv2dInputGrad: blockedConv2dInputGrad,
  conv2dWeightGrad: blockedConv2dWeightGrad,
};
