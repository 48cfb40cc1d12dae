/** What one workload in one engine gives: printed by its process as one line of JSON, read by the process that compares. */

/** A thing that was timed. Names are the same in every engine. */
export interface Timing {
  /** E.g. `matmul 1024 NT`. */
  readonly name: string;
  /** Milliseconds of each timed run. */
  readonly times: readonly number[];
  /** Floating-point operations of a run, where that says something. */
  readonly flops?: number;
  /** A number computed from the result: equal in every engine, up to rounding. */
  readonly check: number;
  /** Largest relative difference of `check` between engines; default 5e-3. */
  readonly tolerance?: number;
  /** Other figures, e.g. dispatches. */
  readonly facts?: Readonly<Record<string, number>>;
}

export interface Report {
  /** Engine with version and device, e.g. `guidance on lavapipe`. */
  readonly engine: string;
  readonly timings: readonly Timing[];
}

/** Starts the line of a process's output that holds its Report. */
export const REPORT = "REPORT ";

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
