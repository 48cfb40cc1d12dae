/** Blocked versions of the heavy cores, tested against their `reference`; others run `reference` itself. */
import type { TensorType, TypedArray } from "../dtype.ts";
import type { CoreName } from "../ops/index.ts";

export type BlockedCore = (
  inputs: readonly TypedArray[],
  types: readonly TensorType[],
  attrs: unknown,
  output: TypedArray,
) => void;

export const blockedCores: Partial<Record<CoreName, BlockedCore>> = {};
