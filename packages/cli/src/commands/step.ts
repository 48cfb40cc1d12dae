/** One training step of a configuration as a plan, for commands that look at it without training. */
import {
  buildGuide,
  buildStudent,
  guideTask,
  loadExperimentData,
  planTrainingStep,
  setGuideMode,
  studentTask,
} from "@guidance/guidance";
import type { Backend, Plan } from "@guidance/tensor";
import { type Command, Option } from "commander";
import { addDeviceOptions, type DeviceOptions } from "../device.ts";
import { addConfigOptions, addSetupOptions, buildConfig, oneOf, type SetupOptions } from "../options.ts";
import { importPlugins } from "../plugins.ts";

const stepNames = ["guided", "unguided", "guide"] as const;

export interface StepOptions extends SetupOptions, DeviceOptions {
  readonly step: (typeof stepNames)[number];
}

/** Adds the options of `train` that decide a step, and which one. */
export function addStepOptions(command: Command): Command {
  addDeviceOptions(addConfigOptions(addSetupOptions(command)));
  return command
    .addOption(
      new Option("--step <step>", `which step: ${stepNames.join(", ")} (the guide's own training)`)
        .argParser(oneOf(stepNames))
        .default("guided"),
    )
    .option("--debug", "show stacks of errors");
}

/** The plan of the step on a backend; nothing is allocated there. Throws ConfigError for values out of range. */
export async function planChosenStep(backend: Backend, options: StepOptions, command: Command): Promise<Plan> {
  await importPlugins(options.plugin);
  const config = buildConfig(command, options.preset);
  const splits = await loadExperimentData(config);
  const { model: guide } = buildGuide(config, splits);
  if (options.step === "guide")
    return (await planTrainingStep(backend, guideTask(config, splits, guide), config.guide.batchSize)).plan;
  setGuideMode(guide, config);
  const { model: student } = buildStudent(config, splits);
  const task = studentTask(config, splits, student, options.step === "guided" ? guide : undefined);
  return (await planTrainingStep(backend, task, config.batchSize)).plan;
}
