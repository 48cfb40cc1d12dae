/** `guidance predict`: the classes that the student of a run takes images for. */
import { join } from "node:path";
import { checkCheckpoint, type PredictOptions, predictImages, readRunData } from "@guidance/guidance";
import { type Command, InvalidArgumentError } from "commander";
import { choiceOption } from "../choices.ts";
import { addDeviceOptions, type DeviceOptions, open } from "../device.ts";
import { describeError, SilentFailure } from "../errors.ts";
import { addExamples } from "../examples.ts";
import { importPlugins } from "../plugins.ts";
import { percent, table } from "../report/format.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { patientProgress } from "../report/patience.ts";
import { checkpointOption } from "./eval.ts";
import { readRun } from "./run.ts";

interface Options extends DeviceOptions, OutputOptions, Pick<PredictOptions, "arm" | "checkpoint" | "top"> {
  readonly run: string;
}

function parseTop(text: string): number {
  const top = Number(text);
  if (!Number.isInteger(top) || top < 1) throw new InvalidArgumentError("Expected a whole number from 1 on.");
  return top;
}

export function addPredict(program: Command): void {
  const arms = ["guided", "unguided"] as const;
  const command = program
    .command("predict")
    .description("print the classes that the student of a run takes images for, the most probable first")
    .argument("<images...>", "JPEG, PNG, WebP, GIF or TIFF files")
    .requiredOption("--run <folder>", "folder of the run")
    .addOption(choiceOption("--arm <arm>", `which student: ${arms.join(", ")}`, arms).default(arms[0]))
    .addOption(
      checkpointOption("which weights: last, best (the ones to use, by validation loss), or top-<step>").default(
        "best",
      ),
    )
    .option("--top <n>", "how many classes", parseTop, 5);
  addOutputOptions(addDeviceOptions(command), "print a JSON object for each image");
  addExamples(command, [["cat.jpg dog.jpg --run runs/20260131-120000-imagenet", "five classes for each image"]]);
  command.action((images: string[], options: Options) => predict(images, options));
}

async function predict(files: readonly string[], { run, arm, checkpoint, top, ...options }: Options): Promise<void> {
  const output = new Output(options);
  const { config, plugins, choices } = await readRun(run);
  await checkCheckpoint(join(run, arm), checkpoint);
  const data = await readRunData(run);
  await importPlugins(plugins);
  const { backend } = await open(options, choices);
  const progress = patientProgress(output);
  let [done, failed] = [0, 0];
  try {
    const task = { backend, config, ...data, folder: run, arm, checkpoint, files, top };
    for await (const found of predictImages(task)) {
      if (found instanceof Error) {
        failed += 1;
        output.close();
        console.error(`error: ${describeError(found)}`);
      } else {
        const rows = found.classes.map(({ name, probability }) => [`  ${name}`, percent(probability)]);
        output.result(`${found.file}\n${table(rows)}`, found);
      }
      done += 1;
      progress({ label: "predict", done, total: files.length, detail: "" });
    }
  } finally {
    output.close();
    await backend.close();
  }
  if (failed > 0) throw new SilentFailure();
}
