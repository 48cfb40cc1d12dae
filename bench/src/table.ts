/** Gathers the reports of all rounds, checks that engines agree, and prints them as one Markdown table. */
import { median, type Report } from "./result.ts";

export interface Measured {
  /** Milliseconds: the median of all timed runs of all rounds. */
  readonly median: number;
  /** The median as a multiple of the first engine's, ours, in the same rounds. */
  readonly ratio?: number;
  readonly runs: number;
  readonly check: number;
  readonly tolerance: number;
  readonly flops?: number;
  readonly facts?: Readonly<Record<string, number>>;
}

/** What was timed -> engine -> figures. */
export type Measurements = Record<string, Record<string, Measured>>;

export function collect(reports: readonly { engine: string; report: Report }[], own: string): Measurements {
  const times = new Map<string, { name: string; engine: string; runs: number[]; last: Report["timings"][number] }>();
  for (const { engine, report } of reports) {
    for (const timing of report.timings) {
      const key = `${timing.name}|${engine}`;
      const entry = times.get(key) ?? { name: timing.name, engine, runs: [], last: timing };
      entry.runs.push(...timing.times);
      times.set(key, entry);
    }
  }
  const measurements: Measurements = {};
  for (const { name, engine, runs, last } of times.values()) {
    const { check, tolerance = 5e-3, flops, facts } = last;
    measurements[name] ??= {};
    measurements[name][engine] = {
      median: median(runs),
      runs: runs.length,
      check,
      tolerance,
      ...(flops ? { flops } : {}),
      ...(facts ? { facts } : {}),
    };
  }
  for (const byEngine of Object.values(measurements)) {
    const ours = byEngine[own];
    if (!ours) continue;
    for (const [engine, measured] of Object.entries(byEngine))
      byEngine[engine] = { ...measured, ratio: measured.median / ours.median };
  }
  return measurements;
}

const milliseconds = (value: number) =>
  value < 1 ? value.toFixed(3) : value < 100 ? value.toFixed(1) : value.toFixed(0);

function cell(measured: Measured | undefined, ours: Measured | undefined): string {
  if (!measured) return "";
  const text = `${milliseconds(measured.median)} ms`;
  if (!ours || measured === ours) return text;
  const wrong = Math.abs(measured.check - ours.check) > ours.tolerance * Math.abs(ours.check);
  return wrong ? `${text}, wrong result` : `${text} (${measured.ratio?.toFixed(1)}x)`;
}

/** Times of all engines; others' also as multiples of ours, the first engine. */
export function table(measurements: Measurements, engines: readonly string[]): string {
  const [own] = engines;
  const rows = Object.entries(measurements).map(([name, byEngine]) => {
    const ours = byEngine[own];
    const speed = ours?.flops ? `${(ours.flops / ours.median / 1e6).toFixed(0)} GFLOP/s` : "";
    const facts = Object.entries(ours?.facts ?? {}).map(([fact, value]) => `${fact} ${Number(value.toPrecision(3))}`);
    return [
      name,
      ...engines.map((engine) => cell(byEngine[engine], ours)),
      [speed, ...facts].filter(Boolean).join(", "),
    ];
  });
  const lines = [["", ...engines, ""], ["---", ...engines.map(() => "---"), "---"], ...rows];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}
