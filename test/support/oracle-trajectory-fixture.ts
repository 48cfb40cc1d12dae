// The fixture trajectory.json: guidance training of three students, step by step.

import { type IntegerSpec, loadFixture, makeTensor, type RealSpec } from "./fixtures.ts";
import type { WeightSpecs } from "./oracle-models.ts";

export type GuideMode = "eval" | "train";
/** Numbers by the name of a parameter or statistic. */
export type Values = Readonly<Record<string, number>>;

/** One stored run; `tol_*` and what has no suffix are of float32, `*_f64` and `f64` of float64. */
export interface TrajectoryRun {
  readonly id: string;
  readonly student: string;
  readonly guide: GuideMode | null;
  readonly lr: number;
  readonly mode: "notebook" | "single" | null;
  readonly steps: number;
  readonly ce: readonly number[];
  /** Empty without guide, like its tolerances. */
  readonly rep: readonly number[];
  readonly total: readonly number[];
  readonly tol_ce: readonly number[];
  readonly tol_rep: readonly number[];
  readonly f64: {
    readonly ce: readonly number[];
    readonly rep: readonly number[];
    readonly total: readonly number[];
    readonly eval_ce: readonly number[];
  };
  /** 1 - CKA by student layer, and the L2 norm of every gradient, at the first step, in float64. */
  readonly step0: { readonly sims: readonly (readonly [string, number])[] | null; readonly grad_l2: Values };
  /** The value of all batch norms. */
  readonly num_batches_tracked: readonly number[];
  /** L2 norms of all parameters and running statistics after the last step. */
  readonly final_l2: Values;
  readonly tol_final_l2: Values;
  readonly final_l2_f64: Values;
  /** The same of the guide's running statistics, which move in train mode. */
  readonly guide_running_l2: Values | null;
  readonly eval_ce: readonly number[];
  readonly tol_eval_ce: readonly number[];
  readonly eval_top1: readonly number[];
}

interface StudentSpec {
  readonly id: string;
  readonly in_features: number;
  readonly first: number;
  readonly width: number;
  readonly n_mid: number;
  readonly classes: number;
  readonly dropout: number;
  readonly weights: WeightSpecs;
}

interface TrajectoryFixture {
  readonly adam: {
    readonly beta1: number;
    readonly beta2: number;
    readonly eps: number;
    readonly weight_decay: number;
  };
  readonly rep_sim_alpha: number;
  readonly inputs: readonly RealSpec[];
  readonly labels: readonly IntegerSpec[];
  readonly students: readonly StudentSpec[];
  readonly guide: { readonly weights: WeightSpecs };
  readonly runs: readonly TrajectoryRun[];
}

export const fixture = loadFixture<TrajectoryFixture>("trajectory");
/** The four batches: step t uses batch t mod 4. */
export const images = fixture.inputs.map((spec) => makeTensor(spec));
export const labels = fixture.labels.map((spec) => makeTensor(spec));

/** The runs of a student. */
export function runsOf(student: string): TrajectoryRun[] {
  return fixture.runs.filter((run) => run.student === student);
}
