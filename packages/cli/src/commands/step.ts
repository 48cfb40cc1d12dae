/** One training step of a configuration as plans, for commands that look at it without training. */
import {
  buildGuide,
  buildStudent,
  checkConfig,
  closeSplits,
  guideTask,
  loadExperimentData,
  planTrainingStep,
  presets,
  type SourceSplits,
  setGuideMode,
  studentTask,
  type TrainConfig,
  type TrainingTask,
} from "@guidance/guidance";
import { type Backend, formatBytes, LimitError, type Plan } from "@guidance/tensor";
import type { Command } from "commander";
import { choiceOption } from "../choices.ts";
import { addDeviceOptions, type DeviceOptions } from "../device.ts";
import { addConfigOptions, addSetupOptions, buildConfig, type SetupOptions } from "../options.ts";
import { importPlugins } from "../plugins.ts";

const stepNames = ["guided", "unguided", "guide"] as const;

export interface StepOptions extends SetupOptions, DeviceOptions {
  readonly step: (typeof stepNames)[number];
}

/** A program of a training step. */
export interface StepProgram {
  /** Absent where it is the whole of the step. */
  readonly name?: string;
  readonly plan: Plan;
  /** How often a step runs it. */
  readonly runs: number;
}

/** Adds the options of `train` that decide a step, and which one. */
export function addStepOptions(command: Command): Command {
  addDeviceOptions(addConfigOptions(addSetupOptions(command)));
  return command.addOption(
    choiceOption("--step <step>", `which step: ${stepNames.join(", ")} (the guide's own training)`, stepNames).default(
      "guided",
    ),
  );
}

/** The plan of the notebook's guided step; of its images there are no more than a batch. */
export async function planNotebookStep(backend: Backend, batch: number): Promise<Plan> {
  const counts = { train: batch, validation: 1, test: 1 };
  const synthetic = presets.notebook.synthetic && { ...presets.notebook.synthetic, ...counts };
  const [{ plan }] = await planGuidedStep(backend, checkConfig({ ...presets.notebook, batchSize: batch, synthetic }));
  return plan;
}

/** The plans of one step; the images of the configuration are open only as long as their shapes are asked for. */
async function planOf(
  backend: Backend,
  config: TrainConfig,
  taskOf: (splits: SourceSplits) => TrainingTask,
  say: (line: string) => void,
  batch = config.batchSize,
): Promise<readonly [StepProgram, ...StepProgram[]]> {
  const splits = await loadExperimentData(config, say);
  await closeSplits(splits);
  const task = taskOf(splits);
  const { parts = 1 } = task;
  const [first, update] = await planTrainingStep(backend, task, batch);
  checkPeak(backend, first.plan);
  if (!update) return [{ plan: first.plan, runs: 1 }];
  checkPeak(backend, update.plan);
  return [
    { name: `a part of the batch, of which there are ${parts}`, plan: first.plan, runs: parts },
    { name: "the update", plan: update.plan, runs: 1 },
  ];
}

function planGuidedStep(
  backend: Backend,
  config: TrainConfig,
  say: (line: string) => void = () => {},
): ReturnType<typeof planOf> {
  const guided = (splits: SourceSplits) => {
    const { model: guide } = buildGuide(config, splits);
    setGuideMode(guide, config);
    return studentTask(config, splits, buildStudent(config, splits).model, guide);
  };
  return planOf(backend, config, guided, say);
}

/** Throws LimitError where a plan does not fit the budget. */
function checkPeak({ name, limits }: Backend, { memory }: Plan): void {
  if (memory.peak <= limits.budgetBytes) return;
  throw new LimitError({
    what: "memory",
    facts: `the step needs ${formatBytes(memory.peak)} and the budget of ${name} is ${formatBytes(limits.budgetBytes)}`,
    hint: "Take a smaller batch, or raise the budget with --budget",
  });
}

/** The configuration of the step, before a device is opened; throws ConfigError for values out of range. */
export async function stepConfig(options: StepOptions, command: Command): Promise<TrainConfig> {
  await importPlugins(options.plugin);
  return buildConfig(command, options);
}

/** The programs of a step on a backend; nothing is allocated there. `say` is told what a user should know of the data. */
export async function planChosenStep(
  backend: Backend,
  config: TrainConfig,
  step: StepOptions["step"],
  say: (line: string) => void,
): ReturnType<typeof planOf> {
  if (step === "guided") return planGuidedStep(backend, config, say);
  if (step === "unguided") {
    const alone = (splits: SourceSplits) => studentTask(config, splits, buildStudent(config, splits).model);
    return planOf(backend, config, alone, say);
  }
  const guideOwn = (splits: SourceSplits) => guideTask(config, splits, buildGuide(config, splits).model);
  return planOf(backend, config, guideOwn, say, config.guide.batchSize);
}
