/** Opens weights of any known format, which is told by the first bytes: names of files say little. */

import {
  allocateSafetensorsArray,
  decodeSafetensorsHeader,
  safetensorsBytes,
  safetensorsHeaderBytes,
} from "@guidance/tensor";
import { WeightsError, weightsError } from "./errors.ts";
import { type ByteSource, openSource, readBytes } from "./source.ts";
import { openTorchLegacy } from "./torch-legacy.ts";
import { openTorchZip } from "./torch-zip.ts";
import { type WeightsFile, weightsFile } from "./weights-file.ts";

/** The weights in the file `path`, a .pth of torch (both layouts) or .safetensors; throws WeightsError for anything else. */
export async function openWeights(path: string): Promise<WeightsFile> {
  const source = await openSource(path);
  try {
    return await openWeightsFrom(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The weights that `source` holds; throws WeightsError where it holds others. */
export async function openWeightsFrom(source: ByteSource): Promise<WeightsFile> {
  const start = await readBytes(source, 0, Math.min(source.size, 9));
  const startsWith = (...bytes: number[]) => bytes.every((byte, i) => start[i] === byte);
  if (startsWith(0x50, 0x4b, 3, 4)) return openTorchZip(source);
  // a safetensors file begins with the length of its header, below 2^32, and the `{` of it
  const isSafetensors = start.length === 9 && start.subarray(4, 8).every((byte) => byte === 0) && start[8] === 0x7b;
  if (isSafetensors) return openSafetensors(source);
  if (start[0] === 0x80 && start[1] >= 2 && start[1] <= 5) return openTorchLegacy(source);
  throw weightsError(source.path, {
    facts: `its ${source.size} bytes are of no format that is known`,
    expected: "a .pth file of torch.save(model.state_dict(), ...) or a .safetensors file",
    hint: "Check that the download is complete and no web page",
  });
}

async function openSafetensors(source: ByteSource): Promise<WeightsFile> {
  const entries = await readHeader(source);
  return weightsFile(source, "safetensors", entries, async (name) => {
    const { dtype, shape, begin } = entries.get(name)!;
    const tensor = { dtype, shape, data: allocateSafetensorsArray({ dtype, shape }) };
    await source.read(safetensorsBytes(name, tensor), begin);
    return tensor;
  });
}

async function readHeader(source: ByteSource) {
  try {
    const length = safetensorsHeaderBytes(await readBytes(source, 0, 8), source.size);
    return decodeSafetensorsHeader(await readBytes(source, 0, length), source.size).tensors;
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    throw weightsError(source.path, {
      facts: `it is no safetensors file (${(error as Error).message})`,
      hint: "Copy or download it again",
    });
  }
}
