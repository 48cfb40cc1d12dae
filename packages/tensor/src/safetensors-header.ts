/**
 * The header of a safetensors file.
 *
 * A file is the length of its header (u64, little-endian), the header (JSON: name -> dtype, shape, byte range) and the
 * values, little-endian and without gaps. The header alone says where everything lies: with it, a file larger than one
 * array can hold is written and read tensor by tensor. Everything read is checked, because files come from elsewhere.
 *
 * Source: https://github.com/huggingface/safetensors, section "Format".
 */

import { ValueError } from "./errors.ts";

/** The arrays that hold the values of each dtype; float16 values are kept as their bits, booleans as 0 or 1. */
export const SAFETENSORS_ARRAYS = {
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U32: Uint32Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
  F16: Uint16Array,
};

/** Element types that can be read and written. */
export type SafetensorsDType = keyof typeof SAFETENSORS_ARRAYS;

/** Arrays of values as they lie in a file. */
export type SafetensorsArray = InstanceType<(typeof SAFETENSORS_ARRAYS)[SafetensorsDType]>;

/** Shape and element type of a stored tensor. */
export interface SafetensorsType {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
}

/** Where a tensor lies: bytes `begin` to `end` counted from the start of the file. */
export interface SafetensorsEntry extends SafetensorsType {
  readonly begin: number;
  readonly end: number;
}

/** What the header of a file says; `tensors` is in the order of the values. */
export interface SafetensorsHeader {
  readonly tensors: Map<string, SafetensorsEntry>;
  readonly metadata: Record<string, string>;
}

/** Bytes of the length in front of the header. */
const LENGTH_BYTES = 8;
/** The limit of the reference implementation; a longer header means that the file is something else. */
const MAXIMUM_HEADER_BYTES = 100_000_000;
const READ = "readSafetensors";
const METADATA_KEY = "__metadata__";

function fail(what: string, facts: string, expected?: string, hint?: string): never {
  throw new ValueError({ what, facts, ...(expected && { expected }), ...(hint && { hint }) });
}

function elementBytes({ dtype }: SafetensorsType): number {
  return SAFETENSORS_ARRAYS[dtype].BYTES_PER_ELEMENT;
}

function byteCount(type: SafetensorsType): number {
  return type.shape.reduce((count, size) => count * size, elementBytes(type));
}

/**
 * The first bytes of a file (length and header, a multiple of 8) and where each tensor's values then lie.
 *
 * Wide elements come first, so that every tensor starts at a multiple of its element size.
 */
export function encodeSafetensorsHeader(
  tensors: ReadonlyMap<string, SafetensorsType>,
  metadata: Readonly<Record<string, string>> = {},
): { bytes: Uint8Array; tensors: Map<string, SafetensorsEntry> } {
  const sorted = [...tensors].sort(([, a], [, b]) => elementBytes(b) - elementBytes(a));
  const fields: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA_KEY, metadata]] : [];
  let offset = 0;
  const ranges = sorted.map(([name, { dtype, shape }]) => {
    if (name === METADATA_KEY) fail("writeSafetensors", `a tensor is named "${name}", which the format reserves`);
    const begin = offset;
    offset += byteCount({ dtype, shape });
    fields.push([name, { dtype, shape, data_offsets: [begin, offset] }]);
    return { name, dtype, shape, begin, end: offset };
  });
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(fields)));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, LENGTH_BYTES);
  const entries = ranges.map(({ name, begin, end, ...type }): [string, SafetensorsEntry] => [
    name,
    { ...type, begin: bytes.length + begin, end: bytes.length + end },
  ]);
  return { bytes, tensors: new Map(entries) };
}

/** Bytes of length and header together, from at least the first 8 bytes of a file of `fileBytes` bytes. */
export function safetensorsHeaderBytes(start: Uint8Array, fileBytes: number): number {
  if (fileBytes < LENGTH_BYTES || start.length < LENGTH_BYTES) {
    fail(READ, `the file has ${fileBytes} bytes`, `at least ${LENGTH_BYTES}, the length of the header`);
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > MAXIMUM_HEADER_BYTES) {
    const hint = "Check that the file is a safetensors file";
    fail(READ, `the header claims ${length} bytes`, `at most ${MAXIMUM_HEADER_BYTES}`, hint);
  }
  const end = LENGTH_BYTES + Number(length);
  if (end > fileBytes) {
    fail(READ, `the file has ${fileBytes} bytes and ends within its header`, `at least ${end} bytes`, "Copy it again");
  }
  return end;
}

/**
 * What the header of a file of `fileBytes` bytes says, from bytes that hold at least length and header.
 *
 * Throws ValueError unless the header is well formed and its tensors fill the rest of the file without gap or overlap.
 */
export function decodeSafetensorsHeader(start: Uint8Array, fileBytes: number): SafetensorsHeader {
  const dataStart = safetensorsHeaderBytes(start, fileBytes);
  const { [METADATA_KEY]: metadata, ...fields } = parseHeader(start.subarray(LENGTH_BYTES, dataStart));
  const entries = Object.entries(fields).map(([name, field]) => parseEntry(name, field, dataStart));
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  checkRanges(entries, dataStart, fileBytes);
  return { tensors: new Map(entries), metadata: parseMetadata(metadata) };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    fail(READ, `the header is not JSON in UTF-8 (${(error as Error).message})`);
  }
  if (!isObject(header)) fail(READ, "the header is not a JSON object");
  return header;
}

function parseMetadata(metadata: unknown): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isObject(metadata)) fail(READ, "the metadata is not a JSON object");
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string") fail(READ, `metadata "${key}" is ${JSON.stringify(value)}`, "a string");
  }
  return metadata as Record<string, string>;
}

function parseEntry(name: string, field: unknown, dataStart: number): [string, SafetensorsEntry] {
  if (!isObject(field)) fail(READ, `tensor "${name}" is described by ${JSON.stringify(field)}`, "a JSON object");
  const { dtype, shape, data_offsets: offsets } = field;
  if (typeof dtype !== "string" || !Object.hasOwn(SAFETENSORS_ARRAYS, dtype)) {
    fail(
      READ,
      `tensor "${name}" has dtype ${JSON.stringify(dtype)}`,
      `one of ${Object.keys(SAFETENSORS_ARRAYS).join(", ")}`,
    );
  }
  if (!isSizes(shape)) fail(READ, `tensor "${name}" has shape ${JSON.stringify(shape)}`, "a list of whole numbers");
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    fail(READ, `tensor "${name}" has data_offsets ${JSON.stringify(offsets)}`, "[begin, end] with begin <= end");
  }
  const type = { dtype: dtype as SafetensorsDType, shape };
  const [begin, end] = offsets;
  if (end - begin !== byteCount(type)) {
    const expected = `${byteCount(type)} bytes for ${dtype} and shape [${shape.join(", ")}]`;
    fail(READ, `tensor "${name}" has ${end - begin} bytes (${begin} to ${end})`, expected);
  }
  return [name, { ...type, begin: dataStart + begin, end: dataStart + end }];
}

/** Refuses overlaps, gaps and a file that is shorter or longer than its tensors; `entries` are sorted by begin. */
function checkRanges(entries: [string, SafetensorsEntry][], dataStart: number, fileBytes: number): void {
  let previous = "the header";
  let end = dataStart;
  for (const [name, entry] of entries) {
    if (entry.begin !== end) {
      const relation = entry.begin < end ? "overlaps" : "leaves a gap after";
      fail(READ, `tensor "${name}" starts at byte ${entry.begin} and ${relation} ${previous}`, `byte ${end}`);
    }
    previous = `tensor "${name}"`;
    end = entry.end;
  }
  if (end === fileBytes) return;
  const facts = end > fileBytes ? "is truncated" : "goes on after its last tensor";
  fail(READ, `the file ${facts}: it has ${fileBytes} bytes`, `${end} bytes`, "Copy or download it again");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
