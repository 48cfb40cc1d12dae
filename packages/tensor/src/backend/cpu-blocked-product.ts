/**
 * The one product behind matmul and the convolutions on the CPU:
 *
 *     out[i, j] = sum over k of a[i, k] * b[j, k]
 *
 * Every operand is read, and the result written, through two tables of offsets, so that transposes, batches,
 * strides and im2col are different tables and not different loops. Blocks of both operands are gathered into
 * float64 panels of four rows, which a 4 x 4 register tile (cpu-tile.ts) then streams. Sums run over k in order in float64
 * and are rounded once, so that the result has the very bits of the plain loops.
 */
import type { TypedArray } from "../dtype.ts";
import { TILE, tileMemory } from "./cpu-tile.ts";

/** A matrix inside an array: element (i, k) is `data[rows[i] + columns[k]]`. */
export interface Gathered {
  readonly data: TypedArray;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** Float64 elements of one packed block of each operand: `a` for the last-level cache, `b` for the second. */
const BLOCK_A = 2 ** 18;
const BLOCK_B = 2 ** 15;

/** With very long sums, still enough rows of `a` to pay for gathering `b` again. */
const FEWEST_ROWS = 16;

/** `count` offsets, `step` apart, from `start`. */
export function steps(count: number, step: number, start = 0): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => start + i * step);
}

/** Offsets of every index of nested loops from `start`, the last loop fastest. */
export function nestedSteps(start: number, ...loops: readonly (readonly [count: number, step: number])[]): Int32Array {
  return loops.reduce<Int32Array>((outer, [count, step]) => {
    const offsets = new Int32Array(outer.length * count);
    outer.forEach((base, i) => {
      for (let j = 0; j < count; j++) offsets[i * count + j] = base + j * step;
    });
    return offsets;
  }, Int32Array.of(start));
}

const panelCount = (rows: number): number => Math.ceil(rows / TILE);

/** Rows of a block that holds about `elements`, at least `fewest`, in whole panels. */
function blockRows(rows: number, depth: number, elements: number, fewest: number): number {
  return Math.min(panelCount(rows), panelCount(Math.max(fewest, elements / Math.max(1, depth)))) * TILE;
}

/** Gathers rows [from, to) into panels from `at` on: element (i, k) is ((i >> 2) * depth + k) * 4 + (i & 3) after it. */
function pack({ data, rows, columns }: Gathered, from: number, to: number, panels: Float64Array, at: number): void {
  const depth = columns.length;
  for (let i = from; i < to; i += TILE) {
    // a ragged last panel repeats its last row; the tile's store leaves the copies out
    const last = to - 1;
    const r0 = rows[i];
    const r1 = rows[Math.min(i + 1, last)];
    const r2 = rows[Math.min(i + 2, last)];
    const r3 = rows[Math.min(i + 3, last)];
    for (let k = 0; k < depth; k++) {
      const c = columns[k];
      panels[at] = data[r0 + c];
      panels[at + 1] = data[r1 + c];
      panels[at + 2] = data[r2 + c];
      panels[at + 3] = data[r3 + c];
      at += TILE;
    }
  }
}

/** Writes `out[rows[i] + columns[j]]` = sum over k of a(i, k) b(j, k), for all i and j. */
export function product(a: Gathered, b: Gathered, { data: out, rows, columns }: Gathered): void {
  const depth = a.columns.length;
  const [M, N] = [rows.length, columns.length];
  const blockM = blockRows(M, depth, BLOCK_A, FEWEST_ROWS);
  const blockN = blockRows(N, depth, BLOCK_B, TILE);
  const [tile, panelsA] = [0, TILE * TILE];
  const panelsB = panelsA + blockM * depth;
  const { values, multiply } = tileMemory(panelsB + blockN * depth);
  for (let m = 0; m < M; m += blockM) {
    const endM = Math.min(M, m + blockM);
    pack(a, m, endM, values, panelsA);
    for (let n = 0; n < N; n += blockN) {
      const endN = Math.min(N, n + blockN);
      pack(b, n, endN, values, panelsB);
      for (let j = n; j < endN; j += TILE) {
        for (let i = m; i < endM; i += TILE) {
          multiply(panelsA + (i - m) * depth, panelsB + (j - n) * depth, tile, depth);
          const [height, width] = [Math.min(TILE, endM - i), Math.min(TILE, endN - j)];
          for (let y = 0; y < height; y++) {
            const row = rows[i + y];
            for (let x = 0; x < width; x++) out[row + columns[j + x]] = values[tile + y * TILE + x];
          }
        }
      }
    }
  }
}
