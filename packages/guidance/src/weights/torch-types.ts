/** Element types of torch: how they lie in a file, and as which of ours they are read and written. */

import type { SafetensorsArray, SafetensorsDType } from "@guidance/tensor";

/** Arrays of elements as they lie in a file of torch. */
export type StoredArray = SafetensorsArray | Int8Array | Int16Array;

export interface TorchType {
  /** Of one element in the file. */
  readonly bytes: number;
  readonly array: new (length: number) => StoredArray;
  /** What the tensor becomes. */
  readonly dtype: SafetensorsDType;
  /** How one element is changed on the way; undefined: it is assigned. */
  readonly convert?: (element: number) => number;
  /** Whether `convert` gives the bits of a float32. */
  readonly asBits?: true;
}

/** By the class of their storages in module `torch`. Small integers become I32, since safetensors of ours have no others. */
export const torchTypes: Readonly<Record<string, TorchType>> = {
  FloatStorage: { bytes: 4, array: Float32Array, dtype: "F32" },
  DoubleStorage: { bytes: 8, array: Float64Array, dtype: "F64" },
  HalfStorage: { bytes: 2, array: Uint16Array, dtype: "F16" },
  // a bfloat16 is the upper half of a float32
  BFloat16Storage: { bytes: 2, array: Uint16Array, dtype: "F32", convert: (bits) => bits * 2 ** 16, asBits: true },
  LongStorage: { bytes: 8, array: BigInt64Array, dtype: "I64" },
  IntStorage: { bytes: 4, array: Int32Array, dtype: "I32" },
  ShortStorage: { bytes: 2, array: Int16Array, dtype: "I32" },
  CharStorage: { bytes: 1, array: Int8Array, dtype: "I32" },
  ByteStorage: { bytes: 1, array: Uint8Array, dtype: "U8" },
  BoolStorage: { bytes: 1, array: Uint8Array, dtype: "BOOL", convert: (byte) => (byte === 0 ? 0 : 1) },
};

/** The storage class that each of our types is written as; torch before 2.3 has no unsigned integers but U8. */
export const storageNames: Readonly<Record<Exclude<SafetensorsDType, "U32">, string>> = {
  F32: "FloatStorage",
  F64: "DoubleStorage",
  F16: "HalfStorage",
  I64: "LongStorage",
  I32: "IntStorage",
  U8: "ByteStorage",
  BOOL: "BoolStorage",
};
