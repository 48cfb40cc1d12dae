/** What a training run shows: its plans before it runs, then progress with ETA and validation. */
import { type ExperimentPlan, type Observer, peakOf, type ScoringProgress } from "@guidance/guidance";
import { formatBytes } from "@guidance/tensor";
import { duration, percent } from "./format.ts";
import type { Output } from "./output.ts";
import { patientProgress } from "./patience.ts";
import type { Screen } from "./screen.ts";

/** Shows every plan of a run, and the most memory it will take of `budgetBytes`. */
export function showPlan(screen: Screen, planned: ExperimentPlan, budgetBytes: number): void {
  for (const { name, plan } of planned.steps) {
    const work = `${plan.calls.length} kernels, ${(plan.flops / 1e9).toFixed(2)} GFLOP`;
    screen.line(`planned ${name}: ${work}, peak memory ${formatBytes(plan.memory.peak)}`);
  }
  const budget = Number.isFinite(budgetBytes) ? `of a budget of ${formatBytes(budgetBytes)}` : "without a budget";
  screen.line(`memory: at most ${formatBytes(peakOf(planned))} at a time, ${budget}`);
}

/** Shows how far a scoring is, where it takes long. */
export function scoringProgress(screen: Screen): (progress: ScoringProgress) => void {
  const show = patientProgress(screen);
  return ({ name, done, total }) => show({ label: "scoring", done, total, detail: name });
}

/** An observer that shows everything on `screen`. */
export function progressObserver(screen: Screen): Observer {
  return {
    message: (text) => screen.line(text),
    step({ arm, step, totalSteps, loss, crossEntropy, dissimilarity, pairs, seconds, dataSeconds }) {
      const parts = [`loss ${loss.toFixed(4)}`];
      if (pairs > 0)
        parts.push(`CE ${crossEntropy.toFixed(4)}`, `similarity ${(1 - dissimilarity / pairs).toFixed(4)}`);
      parts.push(`${duration(seconds)}/step`, `data ${duration(dataSeconds)}`);
      screen.progress({ label: arm, done: step, total: totalSteps, detail: parts.join("  ") });
    },
    scoring: scoringProgress(screen),
    validation({ arm: name, step, loss, top1, top5, best }) {
      const scores = `loss ${loss.toFixed(4)}, top-1 ${percent(top1)}, top-5 ${percent(top5)}`;
      screen.line(`${name}: validation after step ${step}: ${scores}${best ? ", best so far" : ""}`);
    },
  };
}

/** The same, which also prints each event as JSON where that is wanted. */
export function recordingObserver(output: Output): Observer {
  const shown = progressObserver(output);
  return {
    ...shown,
    step(event) {
      output.record({ kind: "step", ...event });
      shown.step?.(event);
    },
    validation(event) {
      output.record({ kind: "validation", ...event });
      shown.validation?.(event);
    },
    inspection: (event) => output.record({ kind: "inspection", ...event }),
    warning: (text) => output.notice(text),
  };
}
