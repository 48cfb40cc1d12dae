/**
 * The one product behind matmul and the convolutions on the CPU:
 *
 *     out[i, j] = sum over k of a[i, k] * b[j, k]
 *
 * Every operand is read, and the result written, through two tables of offsets, so that transposes, batches,
 * strides and im2col are different tables and not different loops. Blocks of both operands are gathered into
 * float64 panels of four rows, which a 4 x 4 register tile then streams. Sums run over k in order in float64
 * and are rounded once, so that the result has the very bits of the plain loops.
 */
import type { TypedArray } from "../dtype.ts";

/** A matrix inside an array: element (i, k) is `data[rows[i] + columns[k]]`. */
export interface Gathered {
  readonly data: TypedArray;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** Rows and columns of a register tile: 16 sums hide the latency of the additions, more would not fit the registers. */
const TILE = 4;

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

/** Gathers rows [from, to) into panels: element (i, k) at ((i >> 2) * depth + k) * 4 + (i & 3). */
function pack({ data, rows, columns }: Gathered, from: number, to: number, panels: Float64Array): void {
  const depth = columns.length;
  let at = 0;
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

/** One 4 x 4 tile of the product of two panels. */
function multiplyTile(a: Float64Array, i: number, b: Float64Array, j: number, depth: number, tile: Float64Array): void {
  let [s00, s01, s02, s03] = [0, 0, 0, 0];
  let [s10, s11, s12, s13] = [0, 0, 0, 0];
  let [s20, s21, s22, s23] = [0, 0, 0, 0];
  let [s30, s31, s32, s33] = [0, 0, 0, 0];
  for (let k = 0; k < depth; k++) {
    const b0 = b[j];
    const b1 = b[j + 1];
    const b2 = b[j + 2];
    const b3 = b[j + 3];
    const a0 = a[i];
    s00 += a0 * b0;
    s01 += a0 * b1;
    s02 += a0 * b2;
    s03 += a0 * b3;
    const a1 = a[i + 1];
    s10 += a1 * b0;
    s11 += a1 * b1;
    s12 += a1 * b2;
    s13 += a1 * b3;
    const a2 = a[i + 2];
    s20 += a2 * b0;
    s21 += a2 * b1;
    s22 += a2 * b2;
    s23 += a2 * b3;
    const a3 = a[i + 3];
    s30 += a3 * b0;
    s31 += a3 * b1;
    s32 += a3 * b2;
    s33 += a3 * b3;
    i += 4;
    j += 4;
  }
  tile[0] = s00;
  tile[1] = s01;
  tile[2] = s02;
  tile[3] = s03;
  tile[4] = s10;
  tile[5] = s11;
  tile[6] = s12;
  tile[7] = s13;
  tile[8] = s20;
  tile[9] = s21;
  tile[10] = s22;
  tile[11] = s23;
  tile[12] = s30;
  tile[13] = s31;
  tile[14] = s32;
  tile[15] = s33;
}

/** Writes `out[rows[i] + columns[j]]` = sum over k of a(i, k) b(j, k), for all i and j. */
export function product(a: Gathered, b: Gathered, { data: out, rows, columns }: Gathered): void {
  const depth = a.columns.length;
  const [M, N] = [rows.length, columns.length];
  const blockM = blockRows(M, depth, BLOCK_A, FEWEST_ROWS);
  const blockN = blockRows(N, depth, BLOCK_B, TILE);
  const panelsA = new Float64Array(blockM * depth);
  const panelsB = new Float64Array(blockN * depth);
  const tile = new Float64Array(TILE * TILE);
  for (let m = 0; m < M; m += blockM) {
    const endM = Math.min(M, m + blockM);
    pack(a, m, endM, panelsA);
    for (let n = 0; n < N; n += blockN) {
      const endN = Math.min(N, n + blockN);
      pack(b, n, endN, panelsB);
      for (let j = n; j < endN; j += TILE) {
        for (let i = m; i < endM; i += TILE) {
          multiplyTile(panelsA, (i - m) * depth, panelsB, (j - n) * depth, depth, tile);
          const [height, width] = [Math.min(TILE, endM - i), Math.min(TILE, endN - j)];
          for (let y = 0; y < height; y++) {
            const row = rows[i + y];
            for (let x = 0; x < width; x++) out[row + columns[j + x]] = tile[y * TILE + x];
          }
        }
      }
    }
  }
}
