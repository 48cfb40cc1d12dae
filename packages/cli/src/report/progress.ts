/** What a training run shows: its plans before it runs, then progress with ETA and validation. */
import { type ExperimentPlan, type Observer, peakOf } from "@guidance/guidance";
import { formatBytes } from "@guidance/tensor";
import { duration, percent } from "./format.ts";
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

/** An observer that shows everything on `screen`. */
export function progressObserver(screen: Screen): Observer {
  let arm: { readonly name: string; readonly from: number; readonly since: number } | undefined;
  return {
    message: (text) => screen.line(text),
    step({ arm: name, step, totalSteps, loss, crossEntropy, dissimilarity, pairs, seconds, dataSeconds }) {
      const now = performance.now() / 1000;
      // the first step compiles shaders and says nothing about the others
      if (arm?.name !== name) arm = { name, from: step, since: now };
      const left = totalSteps - step;
      const eta = step > arm.from || left === 0 ? (now - arm.since) * (left / Math.max(1, step - arm.from)) : undefined;
      const parts = [`loss ${loss.toFixed(4)}`];
      if (pairs > 0)
        parts.push(`CE ${crossEntropy.toFixed(4)}`, `similarity ${(1 - dissimilarity / pairs).toFixed(4)}`);
      parts.push(
        `${duration(seconds)}/step`,
        `data ${duration(dataSeconds)}`,
        `ETA ${eta === undefined ? "?" : duration(eta)}`,
      );
      screen.progress({ label: name, done: step, total: totalSteps, detail: parts.join("  ") });
    },
    validation({ arm: name, step, loss, top1, top5, best }) {
      const scores = `loss ${loss.toFixed(4)}, top-1 ${percent(top1)}, top-5 ${percent(top5)}`;
      screen.line(`${name}: validation after step ${step}: ${scores}${best ? ", best so far" : ""}`);
    },
  };
}
