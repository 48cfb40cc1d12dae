/**
 * What a whole run will take, known before any of it: the plans of its steps and evaluations, and the most memory
 * that those take which are there at the same time.
 */
import { type Backend, formatBytes, LimitError, type nn, type Plan } from "@guidance/tensor";
import type { ImageSource } from "../data/source.ts";
import { buildGuidance, buildGuide, buildStudent, guideTask, imageInput, setGuideMode, studentTask } from "./build.ts";
import { planEvaluation } from "./evaluate.ts";
import type { ExperimentOptions } from "./experiment.ts";
import { EVALUATION_BATCH } from "./fit.ts";
import { trainsGuide } from "./guide.ts";
import { checkGuideFile } from "./guide-record.ts";
import { planInspection } from "./inspect.ts";
import { type PlannedStep, peakTogether } from "./planning.ts";
import { planTrainingStep } from "./step.ts";
import type { TrainingTask } from "./task.ts";

/** The plan of one step of a run. */
export interface NamedPlan {
  /** E.g. `guided step`. */
  readonly name: string;
  readonly plan: Plan;
}

/** A part of a run, and the bytes of all that is there during it. */
export interface PlannedPart {
  readonly name: string;
  readonly peakBytes: number;
}

/** What a run will compute and hold in memory. */
export interface ExperimentPlan {
  readonly steps: readonly NamedPlan[];
  readonly parts: readonly PlannedPart[];
}

/** What decides the plan of a run. */
export type PlanOptions = Pick<ExperimentOptions, "backend" | "config" | "guideCache" | "plugins" | "resume"> &
  Required<Pick<ExperimentOptions, "splits">> & { readonly folder?: string };

/**
 * Plans every step of a run on its backend; nothing is allocated, trained or written. Throws where the file of the guide's
 * weights does not fit.
 */
export async function planExperiment(options: PlanOptions): Promise<ExperimentPlan> {
  const { backend, config, splits } = options;
  const steps: NamedPlan[] = [];
  const parts: PlannedPart[] = [];
  const named = async (name: string, planned: Promise<PlannedStep>): Promise<PlannedStep> => {
    const step = await planned;
    // both arms evaluate in one way
    if (!steps.some((other) => other.name === name)) steps.push({ name, plan: step.plan });
    return step;
  };
  const training = async (name: string, task: TrainingTask, batchSize: number): Promise<PlannedStep[]> => {
    const planned = await planTrainingStep(backend, task, batchSize);
    const parts = planned.length > 1 ? [`${name}, a part of the batch`, `${name}, the update`] : [name];
    return Promise.all(planned.map((step, i) => named(parts[i], Promise.resolve(step))));
  };
  const evaluationOf = (name: string, model: nn.Module, { count }: ImageSource) =>
    named(name, planEvaluation(backend, model, imageInput(splits), Math.min(EVALUATION_BATCH, count)));

  const { model: guide } = buildGuide(config, splits);
  if (config.guide.weights !== null) await checkGuideFile(guide, config.guide.weights);
  const task = guideTask(config, splits, guide);
  if (await trainsGuide(options)) {
    const own = await training("guide's own step", task, config.guide.batchSize);
    parts.push({ name: "training of the guide", peakBytes: peakTogether(backend, own) });
  }
  setGuideMode(guide, config);
  const scoring = await evaluationOf("evaluation of the guide", guide, splits.test);
  parts.push({ name: "evaluation of the guide", peakBytes: peakTogether(backend, [scoring]) });

  const arm = async (name: string, task: TrainingTask, held: Iterable<PlannedStep>): Promise<void> => {
    const planned = await training(`${name} step`, task, config.batchSize);
    if (config.inspectEvery !== null)
      planned.push(await named(`inspection, ${name}`, planInspection(backend, task, config.batchSize)));
    const rest = config.lastBatch === "keep" ? splits.train.count % config.batchSize : 0;
    if (rest > 0) planned.push(...(await training(`${name} step of the last batch`, task, rest)));
    const evaluation = "evaluation of the student";
    const validation = await evaluationOf(evaluation, task.model, splits.validation);
    const others = [...held].flatMap(({ variables }) => [...variables]);
    parts.push({ name: `${name} training`, peakBytes: peakTogether(backend, [...planned, validation], others) });
  };
  const student = () => buildStudent(config, splits).model;
  await arm("guided", studentTask(config, splits, student(), guide), [scoring]);
  const inspects = config.inspectEvery !== null;
  const watched = inspects ? buildGuidance(config, guide) : undefined;
  const alone = { ...studentTask(config, splits, student()), watched };
  if (config.baseline) await arm("unguided", alone, inspects ? [scoring] : []);
  return { steps, parts };
}

/** The most bytes that are in use at any time. */
export function peakOf({ parts }: ExperimentPlan): number {
  return Math.max(...parts.map(({ peakBytes }) => peakBytes));
}

/** Throws LimitError, naming the largest part of the run, where that does not fit the budget of `backend`. */
export function checkBudget(plan: ExperimentPlan, { name, limits, liveBytes }: Backend): void {
  const needed = peakOf(plan);
  if (liveBytes + needed <= limits.budgetBytes) return;
  const largest = plan.parts.find(({ peakBytes }) => peakBytes === needed);
  throw new LimitError({
    what: "memory",
    facts: `the ${largest?.name} needs ${formatBytes(needed)} and the budget of ${name} is ${formatBytes(limits.budgetBytes)}`,
    expected: "plans within the budget",
    hint: "Take a smaller batch or network, or raise the budget",
  });
}
