/** `guidance plan`: what a run will take on the device at hand, without running any of it. */
import { join } from "node:path";
import {
  buildGuide,
  buildStudent,
  closeSplits,
  type ExperimentPlan,
  largestBatch,
  loadExperimentData,
  peakOf,
  peakTogether,
  planExperiment,
  planTrainingStep,
  setGuideMode,
  studentTask,
  type TrainConfig,
} from "@guidance/guidance";
import { type Backend, formatBytes, kernelBytes, LimitError } from "@guidance/tensor";
import type { Command } from "commander";
import { addDeviceOptions, type DeviceOptions, open } from "../device.ts";
import { addConfigOptions, addSetupOptions, buildConfig, type SetupOptions } from "../options.ts";
import { hashPlugins, importPlugins } from "../plugins.ts";
import { count, table } from "../report/format.ts";

interface PlanOptions extends SetupOptions, DeviceOptions {
  readonly out: string;
}

export function addPlan(program: Command): void {
  const command = addSetupOptions(
    program
      .command("plan")
      .description(
        "print parameters, FLOPs, bytes and peak memory of a run, and the largest batch that fits, without running",
      ),
  ).option("--out <folder>", "folder of all runs, where a trained guide may lie already", "runs");
  addDeviceOptions(addConfigOptions(command));
  command.option("--debug", "show stacks of errors");
  command.action((options: PlanOptions) => plan(options, command));
}

async function plan(options: PlanOptions, command: Command): Promise<void> {
  const plugins = await importPlugins(options.plugin);
  const config = buildConfig(command, options);
  const splits = await loadExperimentData(config);
  const { backend } = await open(options);
  try {
    console.log(`adapter ${backend.name}`);
    const { model: student } = buildStudent(config, splits);
    const { model: guide } = buildGuide(config, splits);
    setGuideMode(guide, config);
    for (const [name, model] of [
      ["student", student],
      ["guide", guide],
    ] as const) {
      const parameters = model.parameters().reduce((sum, { size }) => sum + size, 0);
      console.log(`${name} ${config[name].name}: ${parameters.toLocaleString("en")} parameters`);
    }
    const guideCache = join(options.out, "guides");
    const hash = await hashPlugins(plugins);
    const planned = await planExperiment({ backend, config, splits, guideCache, plugins: hash });
    console.log(`\n${planText(planned, config)}`);
    const guidedPeak = async (parts: number) => {
      const task = studentTask(config, splits, student, guide);
      try {
        return peakTogether(backend, await planTrainingStep(backend, task, parts * config.accumulate));
      } catch (error) {
        // a tensor that no buffer of the device holds
        if (error instanceof LimitError) return Infinity;
        throw error;
      }
    };
    console.log(`\n${await budgetText(backend, planned, config.accumulate, guidedPeak)}`);
  } finally {
    await closeSplits(splits);
    await backend.close();
  }
}

function planText({ steps, parts }: ExperimentPlan, { batchSize }: TrainConfig): string {
  const rows = steps.map(({ name, plan: { calls, flops, memory } }) => {
    const bytes = calls.reduce((sum, { kernel }) => sum + kernelBytes(kernel), 0);
    const held = [memory.variables, memory.temporaries, memory.inputs + memory.constants + memory.staging];
    return [
      name,
      String(calls.length),
      `${count(flops)}FLOP`,
      formatBytes(bytes),
      ...[...held, memory.peak].map(formatBytes),
    ];
  });
  const head = [`batch ${batchSize}`, "kernels", "work", "traffic", "variables", "temporaries", "other", "peak"];
  const peaks = parts.map(({ name, peakBytes }) => [name, formatBytes(peakBytes)]);
  return `${table([head, ...rows])}\n\n${table([["at the same time", "peak"], ...peaks])}`;
}

async function budgetText(
  { name, limits: { budgetBytes } }: Backend,
  planned: ExperimentPlan,
  parts: number,
  guidedPeak: (batch: number) => Promise<number>,
): Promise<string> {
  if (!Number.isFinite(budgetBytes))
    return `the memory of ${name} is not known; give it with --budget to learn the largest batch that fits`;
  const needed = peakOf(planned);
  const fits = needed <= budgetBytes ? "fits" : "does not fit";
  const largest = await largestBatch(budgetBytes, 2, guidedPeak);
  const most = largest
    ? `the largest batch whose guided step fits is ${parts * largest.batch} (${formatBytes(largest.peak)})`
    : "no batch of the guided step fits";
  return `the run needs ${formatBytes(needed)} and ${fits} the budget of ${formatBytes(budgetBytes)}; ${most}`;
}
