import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocateSafetensorsArray, readSafetensors, type SafetensorsTensor, writeSafetensors } from "./safetensors.ts";
import { decodeSafetensorsHeader, encodeSafetensorsHeader, type SafetensorsDType } from "./safetensors-header.ts";

/** A file with the given header text and data bytes. */
function file(header: string, dataBytes = 0): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

function describeTensor(dtype: string, shape: unknown, offsets: unknown): unknown {
  return { dtype, shape, data_offsets: offsets };
}

const dtypes: SafetensorsDType[] = ["F32", "F64", "I32", "I64", "U32", "U8", "BOOL", "F16"];

const tensor = fc
  .record({
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
    fill: fc.uint8Array({ minLength: 1, maxLength: 64 }),
  })
  .map(({ dtype, shape, fill }): SafetensorsTensor => {
    const data = allocateSafetensorsArray({ dtype, shape });
    const bytes = new Uint8Array(data.buffer);
    for (let index = 0; index < bytes.length; index++) bytes[index] = fill[index % fill.length];
    return { dtype, shape, data };
  });

const name = fc.string({ unit: "binary" }).filter((text) => text !== "__metadata__");
const tensors = fc.array(fc.tuple(name, tensor), { maxLength: 6 }).map((pairs) => new Map(pairs));
const metadata = fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true });

/** Bits rather than numbers are compared, so that NaN payloads and -0 count. */
function bits(map: ReadonlyMap<string, SafetensorsTensor>): Record<string, unknown> {
  const entries = [...map].map(([key, { dtype, shape, data }]) => [
    key,
    [dtype, shape, [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]],
  ]);
  return Object.fromEntries(entries);
}

test("property: what is written is read back, bit for bit, at any alignment of the bytes", () => {
  fc.assert(
    fc.property(tensors, metadata, fc.nat(7), (written, labels, shift) => {
      const bytes = writeSafetensors(written, labels);
      const moved = new Uint8Array(bytes.length + shift);
      moved.set(bytes, shift);
      const read = readSafetensors(moved.subarray(shift));
      expect(bits(read.tensors)).toEqual(bits(written));
      expect(read.metadata).toEqual(labels);
    }),
  );
});

test("property: the values start at a multiple of 8, every tensor at a multiple of its element size", () => {
  fc.assert(
    fc.property(tensors, (written) => {
      const header = encodeSafetensorsHeader(written);
      expect(header.bytes.length % 8).toBe(0);
      for (const [key, { begin }] of header.tensors) expect(begin % written.get(key)!.data.BYTES_PER_ELEMENT).toBe(0);
    }),
  );
});

test("property: a file cut short anywhere is refused", () => {
  fc.assert(
    fc.property(tensors, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (written, fraction) => {
      const bytes = writeSafetensors(written);
      const cut = bytes.subarray(0, Math.floor(bytes.length * fraction));
      expect(() => readSafetensors(cut)).toThrow(/readSafetensors: .*bytes/);
    }),
  );
});

test("property: bytes changed at random are read or refused, with nothing but a ValueError", () => {
  const change = fc.tuple(fc.nat(200), fc.nat(255));
  fc.assert(
    fc.property(tensors, fc.array(change, { minLength: 1, maxLength: 8 }), (written, changes) => {
      const bytes = writeSafetensors(written);
      for (const [index, value] of changes) bytes[index % bytes.length] = value;
      try {
        readSafetensors(bytes);
      } catch (error) {
        expect((error as Error).name).toBe("ValueError");
      }
    }),
  );
});

test("the bytes are those of the format", () => {
  const data = Float32Array.of(1, -2);
  const bytes = writeSafetensors(new Map([["w", { dtype: "F32", shape: [2], data }]]));
  const header = '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  ';
  const expected = file(header, 8);
  expected.set([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0], 8 + header.length);
  expect(bytes).toEqual(expected);
});

test("the header alone tells where the values lie in a file of any size", () => {
  const type = { dtype: "F32", shape: [2 ** 20, 2 ** 12] } as const;
  const { bytes } = encodeSafetensorsHeader(new Map([["large", type]]));
  const fileBytes = bytes.length + 2 ** 34;
  const entry = { ...type, begin: bytes.length, end: fileBytes };
  expect(decodeSafetensorsHeader(bytes, fileBytes).tensors).toEqual(new Map([["large", entry]]));
});

describe("writing refuses", () => {
  test.each([
    ["an array of another type", Int32Array.of(1, 2), 'tensor "w" has a Int32Array of 2 elements'],
    ["an array of another length", Float32Array.of(1), "Expected Float32Array of 2 for dtype F32 and shape [2]"],
  ])("%s", (_, data, message) => {
    expect(() => writeSafetensors(new Map([["w", { dtype: "F32", shape: [2], data }]]))).toThrow(message);
  });

  test("a tensor named like the metadata", () => {
    const type = { dtype: "U8", shape: [0], data: new Uint8Array(0) } as const;
    expect(() => writeSafetensors(new Map([["__metadata__", type]]))).toThrow("which the format reserves");
  });
});

describe("reading refuses", () => {
  const f32 = (begin: number, end: number) => describeTensor("F32", [(end - begin) / 4], [begin, end]);
  test.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(0), "the file has 0 bytes. Expected at least 8"],
    ["an absurd header length", new Uint8Array(16).fill(255), "claims 18446744073709551615 bytes. Expected at most"],
    ["a file that ends in its header", file('{"w":').subarray(0, 10), "ends within its header. Expected at least 13"],
    ["a header that is not JSON", file("nonsense"), "the header is not JSON in UTF-8"],
    ["a header that is not UTF-8", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff), "the header is not JSON in UTF-8"],
    ["a header that is a list", file("[]"), "the header is not a JSON object"],
  ])("%s", (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(message);
  });

  test.each<[string, unknown, number, string]>([
    ["an unknown dtype", { w: describeTensor("F8", [1], [0, 1]) }, 1, 'dtype "F8". Expected one of F32, F64'],
    ["an inherited name as dtype", { w: describeTensor("toString", [1], [0, 1]) }, 1, 'dtype "toString"'],
    ["a negative size", { w: describeTensor("F32", [-1], [0, 4]) }, 4, "has shape [-1]"],
    ["offsets in the wrong order", { w: describeTensor("F32", [1], [4, 0]) }, 4, "data_offsets [4,0]"],
    ["a tensor that is no object", { w: 3 }, 0, 'tensor "w" is described by 3'],
    ["bytes that do not fit the shape", { w: describeTensor("F32", [3], [0, 8]) }, 8, "12 bytes for F32 and shape [3]"],
    ["overlaps", { a: f32(0, 8), b: f32(4, 12) }, 12, 'and overlaps tensor "a". Expected byte'],
    ["gaps", { a: f32(0, 4), b: f32(8, 12) }, 12, 'and leaves a gap after tensor "a"'],
    ["a gap after the header", { a: f32(4, 8) }, 8, "and leaves a gap after the header"],
    ["metadata other than strings", { __metadata__: { epoch: 3 } }, 0, 'metadata "epoch" is 3. Expected a string'],
    ["metadata that is no object", { __metadata__: 3 }, 0, "the metadata is not a JSON object"],
  ])("%s", (_, header, dataBytes, message) => {
    expect(() => readSafetensors(file(JSON.stringify(header), dataBytes))).toThrow(message);
  });

  test("truncated and overlong files, with both sizes", () => {
    const header = JSON.stringify({ a: f32(0, 16) });
    const size = 8 + header.length + 16;
    expect(() => readSafetensors(file(header, 10))).toThrow(`has ${size - 6} bytes. Expected ${size} bytes.`);
    expect(() => readSafetensors(file(header, 17))).toThrow(`has ${size + 1} bytes. Expected ${size} bytes.`);
  });
});
