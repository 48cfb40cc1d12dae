/** `guidance eval`: scores a checkpoint of an earlier run. */
import { join } from "node:path";
import {
  type CheckpointScoreOptions,
  checkCheckpoint,
  closeSplits,
  loadExperimentData,
  scoreCheckpoint,
} from "@guidance/guidance";
import { type Command, InvalidArgumentError } from "commander";
import { choiceOption, OfferingOption } from "../choices.ts";
import { addDeviceOptions, type DeviceOptions, open } from "../device.ts";
import { addExamples } from "../examples.ts";
import { importPlugins } from "../plugins.ts";
import { percent, table } from "../report/format.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { scoringProgress } from "../report/progress.ts";
import { badImagesLines } from "../report/summary.ts";
import { readRun } from "./run.ts";

type EvalOptions = DeviceOptions & OutputOptions & Pick<CheckpointScoreOptions, "arm" | "checkpoint" | "split">;

export function addEval(program: Command): void {
  const choice = (flags: string, help: string, choices: readonly string[]) =>
    choiceOption(flags, `${help}: ${choices.join(", ")}`, choices).default(choices[0]);
  const command = program
    .command("eval")
    .description("score a checkpoint of an earlier run")
    .argument("<folder>", "folder of the run")
    .addOption(choice("--arm <arm>", "which student", ["guided", "unguided"]))
    .addOption(
      checkpointOption(
        "which weights: last (those a run ends with a score of), best, or top-<step> (see train --keep-top)",
      ).default("last"),
    )
    .addOption(choice("--split <split>", "which images", ["test", "validation", "train"]));
  addOutputOptions(addDeviceOptions(command), "print the scores as JSON");
  addExamples(command, [
    ["runs/20260131-120000-mnist", "the last weights of the guided student on the test images"],
    ["runs/20260131-120000-mnist --arm unguided --checkpoint best", "the best ones of the student alone"],
  ]);
  command.action((folder: string, options: EvalOptions) => evaluate(folder, options));
}

/** `--checkpoint`, which takes the name of any that a run can have. */
export const checkpointOption = (help: string, offers: readonly string[] = ["last", "best"]): OfferingOption =>
  new OfferingOption("--checkpoint <name>", help, offers).argParser(parseCheckpoint);

function parseCheckpoint(name: string): string {
  if (/^(last|best|top-\d+)$/.test(name)) return name;
  throw new InvalidArgumentError("Expected last, best, or top- and a step.");
}

async function evaluate(folder: string, options: EvalOptions): Promise<void> {
  const { arm, checkpoint, split } = options;
  const { config, plugins, choices } = await readRun(folder);
  await checkCheckpoint(join(folder, arm), checkpoint);
  await importPlugins(plugins);
  const output = new Output(options);
  const splits = await loadExperimentData(config, (line) => output.line(line));
  const { backend, hint } = await open(options, choices);
  try {
    output.line(`adapter ${backend.name}`);
    if (hint !== undefined) output.line(`hint: ${hint}`);
    const progress = scoringProgress(output);
    const scores = await scoreCheckpoint({ backend, config, splits, folder, arm, checkpoint, split, progress });
    output.close();
    const { name: data, badImages = 0 } = splits[split];
    output.result(
      table([
        [`${arm}, ${checkpoint} (step ${scores.step}), ${data}`, "loss", "top-1", "top-5"],
        [`${scores.images} images`, scores.loss.toFixed(4), percent(scores.top1), percent(scores.top5)],
      ]),
      { arm, checkpoint, split, data, adapter: backend.name, ...scores, badImages },
    );
    for (const line of badImagesLines(badImages)) output.line(line);
  } finally {
    output.close();
    await closeSplits(splits);
    await backend.close();
  }
}
