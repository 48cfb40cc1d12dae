/** `guidance train`: a guided student, the same without guide, and how they compare. */
import { access } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  checkBudget,
  checkRunData,
  checkRunName,
  claimRunFolder,
  closeSplits,
  createRunFolder,
  type ExperimentOptions,
  type ExperimentResult,
  InterruptedError,
  loadExperimentData,
  lockRun,
  planExperiment,
  RunError,
  readHistory,
  runExperiment,
  type TrainConfig,
} from "@guidance/guidance";
import { DeviceLostError } from "@guidance/tensor";
import type { Command } from "commander";
import { addDeviceOptions, type DeviceOptions, open } from "../device.ts";
import { describeError, Stopped } from "../errors.ts";
import { addExamples } from "../examples.ts";
import { Interruption } from "../interrupt.ts";
import { addLoggerOptions, buildLoggers, type LoggerOptions } from "../loggers.ts";
import { addConfigOptions, addSetupOptions, buildConfig, type SetupOptions } from "../options.ts";
import { hashPlugins, importPlugins } from "../plugins.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { recordingObserver, showPlan } from "../report/progress.ts";
import { badImagesLines, caveats, resultTable, sparklines } from "../report/summary.ts";
import { launchUi } from "../ui/launch.ts";
import { checkpointOption } from "./eval.ts";
import { lastAdapter, pluginsChanged, readRun, recordResume, type StoredRun, writeRun } from "./run.ts";
import { addUiOptions } from "./ui.ts";

interface TrainOptions extends DeviceOptions, LoggerOptions, OutputOptions, SetupOptions {
  readonly name?: string;
  readonly out: string;
  readonly folder?: string;
  readonly resume?: string;
  readonly checkpoint?: string;
  readonly ui?: true;
  readonly port?: number;
  readonly host: string;
}

export function addTrain(program: Command): void {
  const command = addSetupOptions(
    program.command("train").description("train a student under a guide, and the same student without"),
  )
    .option("--name <name>", "what the run is called (default: the data set)")
    .option("--out <folder>", "folder of all runs and of the guides they share", "runs")
    .option("--folder <folder>", "the folder of this run, which must not exist (default: <out>/<time>-<name>)")
    .option("--resume <folder>", "go on with the run in this folder, with its own configuration")
    .addOption(
      checkpointOption(
        "what --resume goes on from where the last checkpoint of a student is damaged: best, or top-<step>",
        ["best"],
      ),
    );
  addDeviceOptions(addConfigOptions(addLoggerOptions(command)));
  addUiOptions(
    command.option(
      "--ui",
      "the dashboard in the browser while it trains, at an address that --quiet prints too; gradients and layers every 100 steps unless --inspect-every says else",
    ),
  );
  addOutputOptions(
    command,
    "print the address of the dashboard, each step, validation and inspection and at last the result as JSON lines",
  );
  addExamples(command, [
    ["", "the demonstration: MNIST, 50 layers, with guide and without"],
    ["--guide-steps 0 --alpha 1", "a random guide"],
    ["--preset notebook --data ~/imagenet --batch 64", "the notebook on photographs"],
    ["--ui", "with the dashboard in the browser"],
    ["--mlflow http://localhost:5000", "also recorded in an MLflow server"],
    ["--resume runs/20260131-120000-mnist", "a run that was stopped"],
  ]);
  command.action((options: TrainOptions) => train(options, command));
}

async function train(options: TrainOptions, command: Command): Promise<void> {
  if (options.resume === undefined) return trainRun(options, await newRun(options, command));
  const run = await earlierRun(options.resume, command);
  const unlock = lockRun(options.resume);
  try {
    await trainRun(options, run);
  } finally {
    unlock();
  }
}

async function trainRun(options: TrainOptions, run: StoredRun): Promise<void> {
  const screen = new Output(options);
  const loggers = buildLoggers(options);
  const started = performance.now();
  // data load while the driver starts; what is wrong with them is told below, once there is a device to close
  const loading = loadExperimentData(run.config, (line) => screen.line(line));
  loading.catch(() => {});
  const opened = await open(options, run.choices);
  let unlock = () => {};
  try {
    const splits = await loading;
    if (options.resume !== undefined) await checkRunData(options.resume, splits);
    screen.line(`adapter ${opened.backend.name}`);
    if (opened.hint !== undefined) screen.line(`hint: ${opened.hint}`);
    const common = {
      backend: opened.backend,
      config: run.config,
      splits,
      guideCache: run.guides,
      plugins: await hashPlugins(run.plugins),
    };
    const resumed = options.resume === undefined ? {} : { folder: options.resume, resume: true };
    const plan = await planExperiment({ ...common, ...resumed });
    showPlan(screen, plan, opened.backend.limits.budgetBytes);
    for (const { name, plan: each } of plan.steps) screen.detail(`${name}:\n${each.describe()}`);
    checkBudget(plan, opened.backend);
    const folder = options.resume ?? (await claimFolder(options, run.config));
    if (options.resume === undefined) {
      unlock = lockRun(folder);
      await writeRun(folder, run, splits, opened);
    } else await noteResume(folder, opened, screen);
    screen.line(`run folder ${folder}`);
    const dashboard = options.ui && showRun(folder, options, screen);
    const result = await experiment(screen, {
      ...common,
      folder,
      loggers,
      resume: options.resume !== undefined,
      checkpoint: options.checkpoint,
    }).finally(() => dashboard?.close());
    const seconds = (performance.now() - started) / 1000;
    const { arms } = await readHistory(folder);
    screen.line("");
    screen.result(`${resultTable(result, seconds)}\n\n${sparklines(arms)}`, {
      kind: "result",
      folder,
      seconds,
      ...result,
    });
    for (const line of [...badImagesLines(result.badImages), ...caveats(run.config)]) screen.line(line);
    screen.line(`weights, metrics and summary are in ${folder}`);
    if (options.ui) screen.line(`the dashboard again: guidance ui ${folder}`);
  } finally {
    unlock();
    await loading.then(closeSplits, () => {});
    await opened.backend.close();
  }
}

async function newRun(options: TrainOptions, command: Command): Promise<StoredRun> {
  if (options.checkpoint !== undefined) {
    throw new RunError({
      what: "option --checkpoint",
      facts: "a new run has no checkpoints",
      expected: "it beside --resume only",
    });
  }
  const plugins = await importPlugins(options.plugin);
  const config = withInspections(buildConfig(command, options), options, command);
  if (options.folder === undefined) checkRunName(nameOf(options, config));
  return { config, plugins, guides: join(options.out, "guides") };
}

/**
 * Inspections for the dashboard, where nothing is said about them. One takes about as long as a step under guidance, and
 * as two of the student alone: 100 steps make that 1 to 2 %.
 */
function withInspections(config: TrainConfig, { ui }: TrainOptions, command: Command): TrainConfig {
  const isGiven = command.getOptionValueSource("inspectEvery") === "cli";
  return ui && !isGiven && config.inspectEvery === null ? { ...config, inspectEvery: 100 } : config;
}

/** What a resumed run takes; all else is its configuration. */
const RESUMING = [
  ...["resume", "checkpoint", "device", "budget", "mlflow", "wandb", "logger", "ui", "port", "host"],
  ...["json", "quiet", "verbose", "debug"],
];

/** The run in `folder`, whose configuration stands. */
async function earlierRun(folder: string, command: Command): Promise<StoredRun> {
  const options = command.options.filter(({ negate }) => !negate);
  const others = options.filter((option) => !RESUMING.includes(option.attributeName()));
  const given = others.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
  if (given.length > 0) {
    throw new RunError({
      what: "resume",
      facts: `${given.map(({ long }) => long).join(", ")} cannot be changed`,
      expected: `no options but --${RESUMING.slice(1).join(", --")}: the run keeps its configuration`,
      hint: "Leave them out, or start a new run without --resume",
    });
  }
  const run = await readRun(folder);
  const done = await access(join(folder, "summary.json")).then(
    () => true,
    () => false,
  );
  if (done) {
    throw new RunError({
      what: "resume",
      facts: `the run in "${folder}" is complete`,
      hint: `Its results are in summary.json; "guidance eval ${folder}" scores its checkpoints`,
    });
  }
  await importPlugins(run.plugins);
  return run;
}

const nameOf = ({ name }: TrainOptions, { dataset }: TrainConfig): string => name ?? dataset;

function claimFolder(options: TrainOptions, config: TrainConfig): Promise<string> {
  const { folder, out } = options;
  if (folder !== undefined) return claimRunFolder(folder).then(() => folder);
  return createRunFolder({ root: out, name: nameOf(options, config), time: new Date() });
}

/** Starts the dashboard: of all runs in `--out`, or of this one where `--folder` or `--resume` names it. */
function showRun(folder: string, { out, folder: chosen, resume, host, port }: TrainOptions, screen: Output) {
  const shown = chosen ?? resume ?? out;
  const args = [shown, "--host", host, ...(port === undefined ? [] : ["--port", String(port)])];
  return launchUi(args, (news) => {
    if ("error" in news) return screen.notice(`no dashboard, training goes on: ${news.error}`);
    const url = `${news.url}#${encodeURIComponent(basename(folder))}`;
    screen.notice(`dashboard ${url}`);
    screen.record({ kind: "dashboard", url });
  });
}

async function noteResume(folder: string, opened: Awaited<ReturnType<typeof open>>, screen: Output): Promise<void> {
  const before = await lastAdapter(folder);
  if (before !== opened.backend.name) {
    screen.line(`note: the run was on ${before} before; from here on its numbers are not those it would have had`);
  }
  if (await pluginsChanged(folder)) {
    screen.line("note: the code of the plugins has changed; from here on the numbers are not those it would have had");
  }
  await recordResume(folder, opened);
}

/** Runs it with progress and signals; ends in Stopped when a signal came. */
async function experiment(screen: Output, options: ExperimentOptions): Promise<ExperimentResult> {
  const interruption = new Interruption((line) => screen.line(line));
  try {
    return await runExperiment({ ...options, observer: recordingObserver(screen), signal: interruption.signal });
  } catch (error) {
    const goOn = `Go on with: guidance train --resume ${options.folder}`;
    if (error instanceof DeviceLostError) throw new Error(`${error.message} ${goOn}`, { cause: error });
    const { received } = interruption;
    if (!(error instanceof InterruptedError) || received === undefined) throw error;
    // at once: a parent that got the signal too may not wait until the device is closed
    screen.close();
    console.error(`error: ${describeError(error)} ${goOn}`);
    throw new Stopped(received);
  } finally {
    interruption.close();
    screen.close();
  }
}
