/**
 * The values of tensors that are views of storages in a file. What is read and made is bounded by the size of the file before
 * anything is allocated: a small file may describe huge tensors by strides of zero, or one storage thousands of times.
 */

import { allocateSafetensorsArray, type SafetensorsTensor, type SafetensorsType } from "@guidance/tensor";
import { weightsError } from "./errors.ts";
import type { ByteSource } from "./source.ts";
import type { TorchTensor } from "./torch-objects.ts";
import type { StoredArray } from "./torch-types.ts";
import { type WeightsFile, type WeightsFormat, weightsFile } from "./weights-file.ts";

/** What a file of torch holds. */
export interface TorchContents {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** Where each storage begins in the file. */
  readonly positions: ReadonlyMap<string, number>;
  /** Throw WeightsError where a storage is damaged; absent where the file has no checksums. */
  readonly checks?: ReadonlyMap<string, () => Promise<void>>;
}

/** Bytes that any file may give: small ones with expanded tensors are harmless. */
const LEAST_LIMIT = 2 ** 20;
/** How many times as many bytes as the file has all tensors may have together, since some share a storage. */
const MOST_SHARING = 16;

/** Throws WeightsError where tensors are larger than their file can mean. */
function checkSizes({ path, size }: ByteSource, tensors: ReadonlyMap<string, TorchTensor>): void {
  const limit = Math.max(size, LEAST_LIMIT);
  let total = 0;
  for (const [name, { storage, count, span }] of tensors) {
    const bytes = Math.max(count, span) * storage.type.bytes;
    total += bytes;
    const facts = bytes > limit ? `tensor "${name}" has ${bytes} bytes` : `its tensors have ${total} bytes and more`;
    if (bytes > limit || total > MOST_SHARING * limit) {
      throw weightsError(path, {
        facts: `${facts} in a file of ${size} bytes`,
        expected: "tensors no larger than what is stored",
        hint: "Call contiguous() on expanded tensors before they are saved",
      });
    }
  }
}

/** The file `source` as one of weights. */
export function torchFile(source: ByteSource, format: WeightsFormat, contents: TorchContents): WeightsFile {
  const { tensors, positions, checks } = contents;
  checkSizes(source, tensors);
  const types = new Map(
    [...tensors].map(([name, { storage, shape }]): [string, SafetensorsType] => [
      name,
      { dtype: storage.type.dtype, shape },
    ]),
  );
  return weightsFile(source, format, types, async (name) => {
    const tensor = tensors.get(name)!;
    const { key } = tensor.storage;
    await checks?.get(key)?.();
    return readTensor(source, tensor, positions.get(key)!);
  });
}

async function readTensor(source: ByteSource, tensor: TorchTensor, position: number): Promise<SafetensorsTensor> {
  const { storage, shape, offset, span } = tensor;
  const { array, bytes, dtype, convert } = storage.type;
  const stored = new array(span);
  await source.read(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength), position + offset * bytes);
  const type = { dtype, shape };
  const data = allocateSafetensorsArray({ dtype, shape: [0] });
  if (tensor.isContiguous && !convert && stored.constructor === data.constructor) {
    return { ...type, data: stored as typeof data };
  }
  return { ...type, data: gather(tensor, stored) };
}

/** The elements of a tensor in row-major order; `stored` begins with its first. */
function gather({ shape, strides, count, storage: { type } }: TorchTensor, stored: StoredArray) {
  const data = allocateSafetensorsArray({ dtype: type.dtype, shape });
  // which arrays these are depends on the type alone: both hold bigints, or numbers
  const to = (type.asBits ? new Uint32Array(data.buffer) : data) as Float64Array;
  const from = stored as Float64Array;
  const convert = type.convert ?? ((element: number) => element);
  const index = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < count; i++) {
    to[i] = convert(from[at]);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return data;
}
