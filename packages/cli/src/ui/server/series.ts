/**
 * A curve of any length in little memory: steps that lie together share a column, and when there are too many columns two
 * and two become one. Adding takes constant time, so that a curve of 500,000 steps is read in one pass, and each column
 * knows when it last changed, so that a page is told no more than that.
 */
import type { SeriesUpdate } from "../protocol.ts";

interface Column {
  /** Last step in it. */
  step: number;
  /** When it changed. */
  version: number;
  readonly counts: Uint32Array;
  readonly sums: Float64Array;
  readonly lows: Float64Array;
  readonly highs: Float64Array;
}

export class Series {
  readonly #limit: number;
  #rows: readonly string[] = [];
  #columns: Column[] = [];
  /** Steps that share a column. */
  #width = 1;
  /** When columns were last thrown away. */
  #cleared = 0;
  #isWide = false;

  /** At most `limit` columns, an even number. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Forgets everything. */
  clear(version: number): void {
    this.#columns = [];
    this.#width = 1;
    this.#isWide = false;
    this.#cleared = version;
  }

  /** Adds the values of `step`, one a row; what is not finite counts as missing. Other rows than before begin a new curve. */
  add(step: number, rows: readonly string[], values: readonly number[], version: number): void {
    if (rows !== this.#rows && (rows.length !== this.#rows.length || rows.some((row, i) => row !== this.#rows[i]))) {
      this.clear(version);
    }
    this.#rows = rows;
    let column = this.#columns.at(-1);
    if (!column || this.#slot(step) > this.#slot(column.step)) {
      column = newColumn(rows.length);
      this.#columns.push(column);
    } else this.#isWide = true;
    column.step = Math.max(column.step, step);
    column.version = version;
    for (let row = 0; row < rows.length; row++) addTo(column, row, values[row]);
    while (this.#columns.length > this.#limit) this.#halve(version);
  }

  #slot(step: number): number {
    return Math.floor((step - 1) / this.#width);
  }

  #halve(version: number): void {
    this.#width *= 2;
    this.#isWide = true;
    const merged: Column[] = [];
    for (const column of this.#columns) {
      const last = merged.at(-1);
      if (last && this.#slot(last.step) === this.#slot(column.step)) merge(last, column);
      else merged.push(column);
    }
    for (const column of merged) column.version = version;
    this.#columns = merged;
  }

  /** What changed after `version`; undefined where nothing did. `withRange` adds the least and the greatest. */
  since(version: number, withRange: boolean): SeriesUpdate | undefined {
    let from = this.#columns.length;
    // versions never fall from one column to the next
    while (from > 0 && this.#columns[from - 1].version > version) from--;
    if (this.#cleared > version) from = 0;
    else if (from === this.#columns.length) return undefined;
    const columns = this.#columns.slice(from);
    const table = (pick: (column: Column, row: number) => number) =>
      this.#rows.map((_, row) => columns.map((column) => (column.counts[row] > 0 ? rounded(pick(column, row)) : null)));
    return {
      from,
      ...(from === 0 ? { rows: this.#rows } : {}),
      steps: columns.map(({ step }) => step),
      mean: table(({ sums, counts }, row) => sums[row] / counts[row]),
      ...(withRange && this.#isWide
        ? { low: table(({ lows }, row) => lows[row]), high: table(({ highs }, row) => highs[row]) }
        : {}),
    };
  }
}

function newColumn(rows: number): Column {
  return {
    step: 0,
    version: 0,
    counts: new Uint32Array(rows),
    sums: new Float64Array(rows),
    lows: new Float64Array(rows).fill(Number.POSITIVE_INFINITY),
    highs: new Float64Array(rows).fill(Number.NEGATIVE_INFINITY),
  };
}

function addTo({ counts, sums, lows, highs }: Column, row: number, value: number): void {
  if (!Number.isFinite(value)) return;
  counts[row]++;
  sums[row] += value;
  lows[row] = Math.min(lows[row], value);
  highs[row] = Math.max(highs[row], value);
}

function merge(into: Column, from: Column): void {
  into.step = from.step;
  for (let row = 0; row < into.sums.length; row++) {
    into.counts[row] += from.counts[row];
    into.sums[row] += from.sums[row];
    into.lows[row] = Math.min(into.lows[row], from.lows[row]);
    into.highs[row] = Math.max(into.highs[row], from.highs[row]);
  }
}

/** Enough digits to draw it. */
const rounded = (value: number): number => Number(value.toPrecision(5));
