/** All that the page knows of the runs it looks at, and how an update changes it. */
import type { ArmProgress, RunDetail, RunEntry, SeriesName, SeriesUpdate, Update } from "../protocol.ts";

type Table = (number | null)[][];

/** Columns of one or several rows, as the server makes them. */
export interface SeriesData {
  rows: readonly string[];
  readonly steps: number[];
  mean: Table;
  /** Where a column has several steps; else what the mean is. */
  low: Table;
  high: Table;
}

export interface ArmData {
  progress: ArmProgress | null;
  readonly series: Readonly<Record<SeriesName, SeriesData>>;
}

export const ARMS = ["guided", "unguided", "guide"] as const;
export type Arm = (typeof ARMS)[number];

export class State {
  /** Undefined until the server has told. */
  runs: readonly RunEntry[] | undefined;
  readonly details = new Map<string, RunDetail>();
  readonly #arms = new Map<string, ArmData>();

  arm(run: string, arm: Arm): ArmData | undefined {
    return this.#arms.get(`${arm} ${run}`);
  }

  apply({ runs, details = [], arms = [] }: Update): void {
    if (runs) this.runs = runs;
    for (const detail of details) this.details.set(detail.id, detail);
    for (const { run, arm, progress, series } of arms) {
      const key = `${arm} ${run}`;
      const data = this.#arms.get(key) ?? emptyArm();
      this.#arms.set(key, data);
      data.progress = progress;
      for (const [name, update] of Object.entries(series)) change(data.series[name as SeriesName], update);
    }
  }
}

const emptySeries = (): SeriesData => ({ rows: [], steps: [], mean: [], low: [], high: [] });

function emptyArm(): ArmData {
  const [steps, validations, similarity, layers, gradients] = Array.from({ length: 5 }, emptySeries);
  return { progress: null, series: { steps, validations, similarity, layers, gradients } };
}

function change(data: SeriesData, { from, rows, steps, mean, low = mean, high = mean }: SeriesUpdate): void {
  if (rows) {
    data.rows = rows;
    for (const table of ["mean", "low", "high"] as const) data[table] = rows.map(() => []);
  }
  data.steps.splice(from, Number.POSITIVE_INFINITY, ...steps);
  const put = (table: Table, values: SeriesUpdate["mean"]) => {
    for (const [row, line] of table.entries()) line.splice(from, Number.POSITIVE_INFINITY, ...values[row]);
  };
  put(data.mean, mean);
  put(data.low, low);
  put(data.high, high);
}
