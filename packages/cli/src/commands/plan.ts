/** `guidance plan`: what a run will take on the device at hand, without running any of it. */
import { join } from "node:path";
import {
  buildGuide,
  buildStudent,
  closeSplits,
  type ExperimentPlan,
  largestRun,
  loadExperimentData,
  type NamedPlan,
  peakOf,
  planExperiment,
  type TrainConfig,
} from "@guidance/guidance";
import { type Backend, formatBytes, kernelBytes, type nn, type Plan } from "@guidance/tensor";
import type { Command } from "commander";
import { addDeviceOptions, type DeviceOptions, open } from "../device.ts";
import { addExamples } from "../examples.ts";
import { addConfigOptions, addSetupOptions, buildConfig, type SetupOptions } from "../options.ts";
import { hashPlugins, importPlugins } from "../plugins.ts";
import { count, table } from "../report/format.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";

interface PlanOptions extends SetupOptions, DeviceOptions, OutputOptions {
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
  addOutputOptions(addDeviceOptions(addConfigOptions(command)), "print the numbers as JSON");
  addExamples(command, [
    ["", "the demonstration"],
    ["--preset notebook --batch 256 --precision mixed", "the notebook's run with activations in 16 bits"],
    ["--verbose", "also every kernel of every step"],
  ]);
  command.action((options: PlanOptions) => plan(options, command));
}

async function plan(options: PlanOptions, command: Command): Promise<void> {
  const plugins = await importPlugins(options.plugin);
  const config = buildConfig(command, options);
  const output = new Output(options);
  const splits = await loadExperimentData(config, (line) => output.line(line));
  const { backend } = await open(options);
  try {
    output.line(`adapter ${backend.name}`);
    const { model: student } = buildStudent(config, splits);
    const { model: guide } = buildGuide(config, splits);
    const parametersOf = (model: nn.Module) => model.parameters().reduce((sum, { size }) => sum + size, 0);
    const parameters = { student: parametersOf(student), guide: parametersOf(guide) };
    for (const name of ["student", "guide"] as const)
      output.line(`${name} ${config[name].name}: ${parameters[name].toLocaleString("en")} parameters`);
    const guideCache = join(options.out, "guides");
    const run = { backend, config, splits, guideCache, plugins: await hashPlugins(plugins) };
    const planned = await planExperiment(run);
    for (const { name, plan } of planned.steps) output.detail(`\n${name}:\n${plan.describe()}`);
    const { budgetBytes } = backend.limits;
    const known = Number.isFinite(budgetBytes);
    if (known) output.line(`looking for the largest batch that fits ${formatBytes(budgetBytes)}`);
    const most = known ? ((await largestRun(run, budgetBytes)) ?? undefined) : undefined;
    output.line("");
    output.result(`${planText(planned, config)}\n\n${budgetText(backend, planned, most)}`, {
      adapter: backend.name,
      batch: config.batchSize,
      parameters,
      steps: planned.steps.map(stepJson),
      parts: planned.parts,
      peakBytes: peakOf(planned),
      budgetBytes: known ? budgetBytes : null,
      largestBatch: most ?? null,
    });
  } finally {
    output.close();
    await closeSplits(splits);
    await backend.close();
  }
}

const trafficOf = ({ calls }: Plan) => calls.reduce((sum, { kernel }) => sum + kernelBytes(kernel), 0);

function stepJson({ name, plan }: NamedPlan) {
  return { name, kernels: plan.calls.length, flops: plan.flops, traffic: trafficOf(plan), memory: plan.memory };
}

function planText({ steps, parts }: ExperimentPlan, { batchSize }: TrainConfig): string {
  const rows = steps.map(({ name, plan }) => {
    const { calls, flops, memory } = plan;
    const held = [memory.variables, memory.temporaries, memory.inputs + memory.constants + memory.staging];
    return [
      name,
      String(calls.length),
      `${count(flops)}FLOP`,
      formatBytes(trafficOf(plan)),
      ...[...held, memory.peak].map(formatBytes),
    ];
  });
  const head = [`batch ${batchSize}`, "kernels", "work", "traffic", "variables", "temporaries", "other", "peak"];
  const peaks = parts.map(({ name, peakBytes }) => [name, formatBytes(peakBytes)]);
  return `${table([head, ...rows])}\n\n${table([["at the same time", "peak"], ...peaks])}`;
}

function budgetText(
  { name, limits: { budgetBytes } }: Backend,
  planned: ExperimentPlan,
  largest: { readonly batch: number; readonly bytes: number } | undefined,
): string {
  if (!Number.isFinite(budgetBytes))
    return `the memory of ${name} is not known; give it with --budget to learn the largest batch that fits`;
  const needed = peakOf(planned);
  const fits = needed <= budgetBytes ? "fits" : "does not fit";
  const most = largest
    ? `the largest batch that fits is ${largest.batch} (${formatBytes(largest.bytes)})`
    : "no batch fits";
  return `the run needs ${formatBytes(needed)} and ${fits} the budget of ${formatBytes(budgetBytes)}; ${most}`;
}
