/** Writes weights as torch or safetensors reads them, one tensor in memory at a time, and the file as a whole or not at all. */

import {
  encodeSafetensorsHeader,
  type SafetensorsTensor,
  type SafetensorsType,
  safetensorsBytes,
} from "@guidance/tensor";
import { chunks } from "../run/chunks.ts";
import { stageFile } from "../run/files.ts";
import { systemReason } from "../system-error.ts";
import { WeightsError, weightsError } from "./errors.ts";
import { pickleStateDict } from "./torch-pickle.ts";
import { storageNames } from "./torch-types.ts";
import type { WeightsFile } from "./weights-file.ts";
import { ZipWriter } from "./zip-write.ts";

/** What is saved: tensors in memory, or those of an open file. */
export type WeightsSource = ReadonlyMap<string, SafetensorsTensor> | Pick<WeightsFile, "types" | "read">;

/** What was written. */
export interface SavedWeights {
  readonly tensors: number;
  /** Of the file. */
  readonly bytes: number;
}

type Parts = AsyncGenerator<Uint8Array>;
type Read = (name: string) => Promise<SafetensorsTensor>;

const writers: Readonly<Record<string, (types: ReadonlyMap<string, SafetensorsType>, read: Read) => Parts>> = {
  ".safetensors": safetensorsParts,
  ".pth": torchParts,
  ".pt": torchParts,
};

/** Throws WeightsError unless the extension of `path` names a format that can be written. */
export function checkWeightsPath(path: string): void {
  writerOf(path);
}

function writerOf(path: string) {
  const extension = Object.keys(writers).find((ending) => path.endsWith(ending));
  if (extension !== undefined) return writers[extension];
  throw weightsError(path, {
    facts: "its extension names no format",
    expected: Object.keys(writers).join(", "),
    hint: "Give the file one of these extensions",
  });
}

/**
 * Writes the file `path`, replacing one that is there: .pth and .pt as torch.load reads them, .safetensors as such. U32
 * becomes I64 for torch. `progress` is told the bytes so far and about how many there will be. Throws WeightsError where it cannot be
 * written; then what was there stands.
 */
export async function saveWeights(
  path: string,
  source: WeightsSource,
  progress?: (bytes: number, total: number) => void,
): Promise<SavedWeights> {
  const writer = writerOf(path);
  const inMemory = !("types" in source);
  const types = inMemory ? source : source.types;
  const read = inMemory ? async (name: string) => source.get(name)! : source.read;
  const total = safetensorsSize(types);
  let bytes = 0;
  async function* counted(): Parts {
    for await (const part of writer(types, read)) {
      bytes += part.length;
      yield part;
      progress?.(Math.min(bytes, total), total);
    }
    progress?.(total, total);
  }
  try {
    const file = await stageFile(path, counted());
    try {
      await file.commit();
    } finally {
      await file.discard();
    }
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    throw weightsError(path, {
      facts: `it cannot be written (${systemReason(error)})`,
      hint: "Check that its folder exists and has room",
    });
  }
  return { tensors: types.size, bytes };
}

/** Bytes of these tensors as a safetensors file; one of torch differs by its index. */
function safetensorsSize(types: ReadonlyMap<string, SafetensorsType>): number {
  const { bytes, tensors } = encodeSafetensorsHeader(types);
  return [...tensors.values()].at(-1)?.end ?? bytes.length;
}

async function* safetensorsParts(types: ReadonlyMap<string, SafetensorsType>, read: Read): Parts {
  const header = encodeSafetensorsHeader(types);
  yield header.bytes;
  for (const name of header.tensors.keys()) yield* chunks(safetensorsBytes(name, await read(name)));
}

/** A tensor of a type that torch has. */
function forTorch(tensor: SafetensorsTensor): SafetensorsTensor {
  if (tensor.dtype !== "U32") return tensor;
  return { ...tensor, dtype: "I64", data: BigInt64Array.from(tensor.data as Uint32Array, BigInt) };
}

async function* torchParts(types: ReadonlyMap<string, SafetensorsType>, read: Read): Parts {
  const zip = new ZipWriter();
  const described = [...types].map(([name, { dtype, shape }]) => {
    return { name, storage: storageNames[dtype === "U32" ? "I64" : dtype], shape };
  });
  yield* zip.entry("archive/data.pkl", pickleStateDict(described));
  yield* zip.entry("archive/byteorder", Buffer.from("little"));
  for (const [key, { name }] of described.entries()) {
    yield* zip.entry(`archive/data/${key}`, safetensorsBytes(name, forTorch(await read(name))));
  }
  yield* zip.entry("archive/version", Buffer.from("3\n"));
  yield zip.end();
}
