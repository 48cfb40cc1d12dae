/**
 * The inner loop of all products on the CPU, as a WebAssembly module of one function: a 4 x 4 tile of sums, two to a
 * register of 128 bits. JavaScript has no such registers, and too few others for 16 sums: this is several times as fast.
 * Products and sums are rounded one by one, as in JavaScript, so that the result has the same bits.
 *
 * The module is written here instruction by instruction: nothing is built before a start that could compile it.
 */

import { BackendError, LimitError } from "../errors.ts";

/** Rows and columns of the tile. */
export const TILE = 4;

/** Memory that the function reads and writes, and the function. */
export interface TileMemory {
  readonly values: Float64Array;
  /**
   * Writes, at `tile`, row by row, sum over k below `depth` of a[k, y] b[k, x], where a and b are panels of four values for
   * each k that begin at `a` and `b`. All are indices of `values`.
   */
  multiply(a: number, b: number, tile: number, depth: number): void;
}

type Code = readonly number[];

const FLOAT_BYTES = 8;
const PAGE_BYTES = 2 ** 16;
/** Indices of bytes have 32 bits. */
const MOST_PAGES = 2 ** 16;

// https://webassembly.github.io/spec/core/binary
const [I32, V128] = [0x7f, 0x7b];
const leb = (value: number): Code => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]);
const list = (items: readonly Code[]): Code => [...leb(items.length), ...items.flat()];
const section = (id: number, content: Code): Code => [id, ...leb(content.length), ...content];
const name = (text: string): Code => list([...text].map((letter) => [letter.charCodeAt(0)]));

const get = (local: number): Code => [0x20, ...leb(local)];
const set = (local: number): Code => [0x21, ...leb(local)];
const constant = (value: number): Code => [0x41, ...leb(value)]; // below 64, as it is signed
const [addIntegers, subtractIntegers, shiftLeft] = [[0x6a], [0x6b], [0x74]];
const simd = (opcode: number, ...rest: number[]): Code => [0xfd, ...leb(opcode), ...rest];
/** The alignment is a hint: 8 bytes. */
const at = (offset: number): number[] => [3, ...leb(offset)];
const load = (offset: number): Code => simd(0x00, ...at(offset));
const loadTwice = (offset: number): Code => simd(0x0a, ...at(offset));
const store = (offset: number): Code => simd(0x0b, ...at(offset));
const [add, multiply] = [simd(0xf0), simd(0xf2)];

function tileFunction(): Code {
  const [a, b, tile, depth] = [0, 1, 2, 3];
  const sum = (y: number, half: number) => 4 + 2 * y + half;
  const column = (half: number) => 12 + half;
  const row = 14;
  const rows = [0, 1, 2, 3];
  const halves = [0, 1];
  const toBytes = (index: number): Code => [...get(index), ...constant(3), ...shiftLeft, ...set(index)];
  const advance = (pointer: number): Code => [...get(pointer), ...constant(32), ...addIntegers, ...set(pointer)];
  const step = [
    ...halves.flatMap((half) => [...get(b), ...load(16 * half), ...set(column(half))]),
    ...rows.flatMap((y) => [
      ...get(a),
      ...loadTwice(8 * y),
      ...set(row),
      ...halves.flatMap((half) => [
        ...[...get(sum(y, half)), ...get(row), ...get(column(half))],
        ...[...multiply, ...add, ...set(sum(y, half))],
      ]),
    ]),
    ...[...advance(a), ...advance(b)],
    ...[...get(depth), ...constant(1), ...subtractIntegers, ...set(depth)],
  ];
  const body = [
    ...[a, b, tile].flatMap(toBytes),
    ...[0x02, 0x40], // block
    ...[0x03, 0x40], // loop
    ...[...get(depth), 0x45, 0x0d, 1], // leave the block where depth is 0
    ...step,
    ...[0x0c, 0], // loop again
    ...[0x0b, 0x0b],
    ...rows.flatMap((y) =>
      halves.flatMap((half) => [...get(tile), ...get(sum(y, half)), ...store(8 * (TILE * y + 2 * half))]),
    ),
    0x0b,
  ];
  const locals = list([[...leb(11), V128]]);
  const code = [...locals, ...body];
  return [...leb(code.length), ...code];
}

let compiled: WebAssembly.Module | undefined;

/** Compiled for the first product: a page that never makes one may forbid WebAssembly. */
function tileModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(
    new Uint8Array([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, list([[0x60, ...list([[I32], [I32], [I32], [I32]]), ...list([])]])),
      ...section(2, list([[...name("host"), ...name("memory"), 0x02, 0x00, 0]])),
      ...section(3, list([[0]])),
      ...section(7, list([[...name("multiply"), 0x00, 0]])),
      ...section(10, list([tileFunction()])),
    ]),
  );
  return compiled;
}

function createMemory(count: number): TileMemory {
  const pages = Math.ceil((count * FLOAT_BYTES) / PAGE_BYTES);
  if (pages > MOST_PAGES) {
    throw new LimitError({
      what: "cpu backend",
      facts: `a product gathers ${count} values of ${FLOAT_BYTES} bytes at a time`,
      expected: "at most 4 GiB",
      hint: "Take a smaller batch or network",
    });
  }
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { exports } = new WebAssembly.Instance(tileModule(), { host: { memory } });
    return { values: new Float64Array(memory.buffer), multiply: exports.multiply as TileMemory["multiply"] };
  } catch (cause) {
    throw new BackendError({
      what: "cpu backend",
      facts: `products cannot use WebAssembly (${(cause as Error).message})`,
      expected: "WebAssembly with registers of 128 bits",
      hint: "In a page allow 'wasm-unsafe-eval'; where address space is limited (ulimit -v), raise that",
    });
  }
}

/** Values that memory has at least, which are enough for nearly all products (4 MB), and at most if it is kept (32 MB). */
const [LEAST, MOST_KEPT] = [2 ** 19, 2 ** 22];

let kept: TileMemory | undefined;

/**
 * Memory of at least `count` values, whatever they are; it is used by one product at a time. Throws BackendError where there
 * is no WebAssembly, LimitError above 4 GiB.
 */
export function tileMemory(count: number): TileMemory {
  if (kept && count <= kept.values.length) return kept;
  const memory = createMemory(Math.max(count, LEAST));
  if (count <= MOST_KEPT) kept = memory;
  return memory;
}
