/** The one form in which weights of any file are read. */

import type { SafetensorsTensor, SafetensorsType } from "@guidance/tensor";
import { weightsError } from "./errors.ts";
import type { ByteSource } from "./source.ts";

/** What a file of weights may be. */
export type WeightsFormat = "torch zip" | "torch legacy" | "safetensors";

/** Tensors by name, whose values are read one by one. */
export interface WeightsFile {
  /** For messages. */
  readonly path: string;
  readonly format: WeightsFormat;
  /** In the order of the file. */
  readonly names: readonly string[];
  readonly types: ReadonlyMap<string, SafetensorsType>;
  /** The tensor `name`; throws WeightsError where there is none. */
  read(name: string): Promise<SafetensorsTensor>;
  /** Closes the file. */
  close(): Promise<void>;
}

/** A file with the tensors of `types`, each of which `read` reads. */
export function weightsFile(
  source: ByteSource,
  format: WeightsFormat,
  types: ReadonlyMap<string, SafetensorsType>,
  read: (name: string) => Promise<SafetensorsTensor>,
): WeightsFile {
  const { path } = source;
  const checked = async (name: string): Promise<SafetensorsTensor> => {
    if (!types.has(name)) throw weightsError(path, { facts: `it has no tensor "${name}"`, hint: "Look at its names" });
    try {
      return await read(name);
    } catch (error) {
      // of an array that cannot be allocated
      if (!(error instanceof RangeError)) throw error;
      throw weightsError(path, {
        facts: `tensor "${name}" of shape [${types.get(name)?.shape.join(", ")}] does not fit into memory (${error.message})`,
        hint: "Split it where it is saved",
      });
    }
  };
  return { path, format, names: [...types.keys()], types, read: checked, close: () => source.close() };
}
