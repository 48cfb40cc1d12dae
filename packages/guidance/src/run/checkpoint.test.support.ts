/** Checkpoints as a whole in memory, for tests. */
import { type SafetensorsTensor, type SafetensorsType, safetensorsBytes } from "@guidance/tensor";
import type { TensorSource } from "./checkpoint.ts";
import type { JsonObject } from "./json.ts";
import { openCheckpoint } from "./open-checkpoint.ts";
import { checkTensors } from "./tensors.ts";

export function sourceOf(tensors: ReadonlyMap<string, SafetensorsTensor>): TensorSource {
  return { types: tensors, parts: (name) => [safetensorsBytes(name, tensors.get(name)!)] };
}

export async function readCheckpoint(
  folder: string,
  name: string,
  expected?: ReadonlyMap<string, SafetensorsType>,
): Promise<{ tensors: Map<string, SafetensorsTensor>; state: JsonObject }> {
  const checkpoint = await openCheckpoint(
    folder,
    name,
    (types) => expected && checkTensors("checkpoint", types, expected),
  );
  const tensors = new Map<string, SafetensorsTensor>();
  for (const key of checkpoint.types.keys()) tensors.set(key, await checkpoint.read(key));
  await checkpoint.close();
  return { tensors, state: checkpoint.state };
}
