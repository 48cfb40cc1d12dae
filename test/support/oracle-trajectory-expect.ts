// What a run of trajectory.json must give, by the README's tolerances; a tolerance above 0.1 says nothing.

import { expect } from "vitest";
import { expectClose } from "./oracle-compare.ts";
import type { Evaluation, Trajectory } from "./oracle-trajectory.ts";
import { fixture, type TrajectoryRun, type Values } from "./oracle-trajectory-fixture.ts";

/** Compares every value of the reference, each by its own tolerance. */
function expectValues(actual: Values, expected: Values, tolerance: (name: string) => number, what: string): void {
  expect(Object.keys(actual).sort(), `${what}: names`).toEqual(Object.keys(expected).sort());
  for (const [name, value] of Object.entries(expected)) {
    expectClose([actual[name]], [value], tolerance(name), `${what} of ${name}`);
  }
}

/** Biases of Linear layers that a batch norm follows: their true gradient is 0. */
function biasesBeforeNorm(parameters: Values): Set<string> {
  const isBias = (name: string) =>
    name.endsWith(".0.bias") && `${name.slice(0, -"0.bias".length)}1.weight` in parameters;
  return new Set(Object.keys(parameters).filter(isBias));
}

/** Gradients of the first step; a bias before a batch norm has only rounding noise, far below its layer's weight. */
function expectGradients(actual: Values, { step0 }: TrajectoryRun, relative: number, noise: number): void {
  const { grad_l2: expected } = step0;
  const biases = biasesBeforeNorm(expected);
  expect(biases.size).toBeGreaterThan(0);
  const zeros = Object.fromEntries(
    Object.entries(expected).map(([name, value]) => [name, biases.has(name) ? 0 : value]),
  );
  const tolerance = (name: string) => {
    if (!biases.has(name)) return relative * expected[name];
    return noise * expected[name.replace(/bias$/, "weight")];
  };
  expectValues(actual, zeros, tolerance, "gradient's norm");
}

function expectSims({ sims }: Trajectory, { step0 }: TrajectoryRun, tolerance: number): void {
  const expected = step0.sims ?? [];
  expect(sims.map(([name]) => name)).toEqual(expected.map(([name]) => name));
  const values = (list: Trajectory["sims"]) => list.map(([, value]) => value);
  expectClose(values(sims), values(expected), tolerance, "1 - CKA of the first step");
}

/** The statistics count forwards, whatever the precision; `relative` is that of a ResNet-18's running statistics. */
function expectStatistics(actual: Trajectory, run: TrajectoryRun, relative: number): void {
  expect([...new Set(actual.batchesTracked)]).toEqual(run.num_batches_tracked);
  const { guide_running_l2: expected } = run;
  expect(actual.guideRunningL2 !== null).toBe(expected !== null);
  if (!expected) return;
  expectValues(actual.guideRunningL2 ?? {}, expected, (name) => relative * expected[name], "guide's norm");
}

/**
 * The stored top-1 is of the float32 run. A sample whose margin is within what the mean loss's tolerance allows its own
 * loss may fall to either side; all others decide.
 */
function expectTop1({ top1, margins }: Evaluation, expected: number, tolerance: number, what: string): void {
  const percent = (count: number) => (100 * count) / margins.length;
  expect(top1, `${what} by the margins`).toBeCloseTo(percent(margins.filter((margin) => margin > 0).length), 4);
  const slack = tolerance * margins.length;
  const sure = margins.filter((margin) => margin > slack).length;
  const possible = margins.filter((margin) => margin >= -slack).length;
  expect(expected, what).toBeGreaterThanOrEqual(percent(sure));
  expect(expected, what).toBeLessThanOrEqual(percent(possible));
}

/** A float64 run: everything to 1e-7, relative. */
export function expectFloat64(actual: Trajectory, run: TrajectoryRun): void {
  const near = 1e-7;
  const { f64, final_l2_f64: finalL2 } = run;
  for (const name of ["ce", "rep", "total"] as const) {
    // without guide nothing is stored for rep
    const expected = name === "rep" && run.guide === null ? f64.ce.map(() => 0) : f64[name];
    expect(actual[name]).toHaveLength(run.steps);
    expected.forEach((value, step) => {
      expectClose([actual[name][step]], [value], near * value, `${name} of step ${step}`);
    });
  }
  expectSims(actual, run, near);
  expectGradients(actual.gradL2, run, near, 1e-14);
  // the stored norms of the guide are of the float32 run
  expectStatistics(actual, run, 1e-5);
  expectValues(actual.finalL2, finalL2, (name) => near * finalL2[name], "final norm");
  expect(actual.evaluation).toHaveLength(f64.eval_ce.length);
  actual.evaluation.forEach((evaluation, batch) => {
    expectClose([evaluation.ce], [f64.eval_ce[batch]], near * f64.eval_ce[batch], `evaluation of batch ${batch}`);
    expectTop1(evaluation, run.eval_top1[batch], run.tol_eval_ce[batch], `top-1 of batch ${batch}`);
  });
}

/** A float32 run of a student that is not chaotic. */
export function expectFloat32(actual: Trajectory, run: TrajectoryRun): void {
  const guided = run.guide !== null;
  let compared = 0;
  for (let step = 0; step < run.steps; step++) {
    const tolerances = {
      ce: run.tol_ce[step],
      rep: guided ? run.tol_rep[step] : 0,
      total: run.tol_ce[step] + (guided ? fixture.rep_sim_alpha * run.tol_rep[step] : 0),
    };
    for (const name of ["ce", "rep", "total"] as const) {
      // the first step has a bound of its own
      const tolerance = step === 0 && name !== "total" ? Math.min(tolerances[name], 1e-4) : tolerances[name];
      if (tolerance > 0.1) continue;
      const expected = name === "rep" && !guided ? 0 : run[name][step];
      expectClose([actual[name][step]], [expected], tolerance, `${name} of step ${step}`);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(run.steps);
  expectSims(actual, run, 1e-4);
  expectGradients(actual.gradL2, run, 1e-3, 1e-6);
  expectStatistics(actual, run, 1e-4);
  const biases = biasesBeforeNorm(run.step0.grad_l2);
  const finalTolerance = (name: string) => {
    const wanders = biases.has(name) || name.endsWith(".running_mean");
    return wanders ? 40 * run.lr + 2e-5 * (1 + Math.abs(run.final_l2[name])) : run.tol_final_l2[name];
  };
  expectValues(actual.finalL2, run.final_l2, finalTolerance, "final norm");
  expect(actual.evaluation).toHaveLength(run.eval_ce.length);
  actual.evaluation.forEach((evaluation, batch) => {
    const tolerance = 10 * run.tol_eval_ce[batch];
    expectClose([evaluation.ce], [run.eval_ce[batch]], tolerance, `evaluation of batch ${batch}`);
    expectTop1(evaluation, run.eval_top1[batch], tolerance, `top-1 of batch ${batch}`);
  });
}
