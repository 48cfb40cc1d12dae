/**
 * Reading and writing safetensors, the file format of trained weights, as whole files in memory.
 *
 * `safetensors-header.ts` describes the format. Typed arrays are taken as they lie in memory: every platform that runs
 * JavaScript is little-endian, as the format is.
 */

import { ValueError } from "./errors.ts";
import {
  decodeSafetensorsHeader,
  encodeSafetensorsHeader,
  SAFETENSORS_ARRAYS,
  type SafetensorsArray,
  type SafetensorsType,
} from "./safetensors-header.ts";

/** A tensor with its values in row-major order. */
export interface SafetensorsTensor extends SafetensorsType {
  readonly data: SafetensorsArray;
}

function elementCount({ shape }: SafetensorsType): number {
  return shape.reduce((count, size) => count * size, 1);
}

/** The bytes of a safetensors file; throws ValueError where an array does not fit its dtype and shape. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header = encodeSafetensorsHeader(tensors, metadata);
  const parts: [number, Uint8Array][] = [[0, header.bytes]];
  let total = header.bytes.length;
  for (const [name, { begin, end }] of header.tensors) {
    parts.push([begin, safetensorsBytes(name, tensors.get(name)!)]);
    total = end;
  }
  const bytes = new Uint8Array(total);
  for (const [offset, part] of parts) bytes.set(part, offset);
  return bytes;
}

/** The bytes of a tensor's values, sharing its memory; throws ValueError where `data` does not fit dtype and shape. */
export function safetensorsBytes(name: string, tensor: SafetensorsTensor): Uint8Array {
  const { dtype, shape, data } = tensor;
  const count = elementCount(tensor);
  if (!(data instanceof SAFETENSORS_ARRAYS[dtype]) || data.length !== count) {
    throw new ValueError({
      what: "writeSafetensors",
      facts: `tensor "${name}" has a ${data.constructor.name} of ${data.length} elements`,
      expected: `${SAFETENSORS_ARRAYS[dtype].name} of ${count} for dtype ${dtype} and shape [${shape.join(", ")}]`,
    });
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A zeroed array for the values of `type`. */
export function allocateSafetensorsArray(type: SafetensorsType): SafetensorsArray {
  return new SAFETENSORS_ARRAYS[type.dtype](elementCount(type));
}

/**
 * The tensors and metadata of a safetensors file; throws ValueError, saying what is wrong, for anything else.
 *
 * Arrays share the memory of `bytes` where the alignment allows it and are copies elsewhere.
 */
export function readSafetensors(bytes: Uint8Array): {
  tensors: Map<string, SafetensorsTensor>;
  metadata: Record<string, string>;
} {
  const { tensors, metadata } = decodeSafetensorsHeader(bytes, bytes.length);
  const read = [...tensors].map(([name, { dtype, shape, begin, end }]): [string, SafetensorsTensor] => {
    const elementBytes = SAFETENSORS_ARRAYS[dtype].BYTES_PER_ELEMENT;
    const start = bytes.byteOffset + begin;
    const aligned = start % elementBytes === 0;
    const buffer = aligned ? bytes.buffer : new Uint8Array(bytes.subarray(begin, end)).buffer;
    const data = new SAFETENSORS_ARRAYS[dtype](
      buffer as ArrayBuffer,
      aligned ? start : 0,
      (end - begin) / elementBytes,
    );
    return [name, { dtype, shape, data }];
  });
  return { tensors: new Map(read), metadata };
}
