/** `guidance compare`: how alike the layers of two networks represent the same images. */
import {
  closeSplits,
  compareNetworks,
  comparisonNames,
  type Estimator,
  estimators,
  loadConfigData,
  measureOf,
  presets,
  type SourceSplits,
  type TrainConfig,
} from "@guidance/guidance";
import { type Command, InvalidArgumentError } from "commander";
import { choiceOption, OfferingOption } from "../choices.ts";
import { addDeviceOptions, type DeviceOptions, open } from "../device.ts";
import { addExamples } from "../examples.ts";
import { heatMapText, textOptionsOf } from "../figures/heat-text.ts";
import type { ConfigField } from "../option-rows.ts";
import { addConfigOptions, addSetupOptions, buildConfig, type SetupOptions } from "../options.ts";
import { importPlugins } from "../plugins.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { patientProgress } from "../report/patience.ts";
import { checkFiles, comparisonJson, comparisonMap, writeFiles } from "./compare-files.ts";
import { buildCompared, type Compared, parseCompared, SPECS } from "./compared.ts";

interface Options extends SetupOptions, DeviceOptions, OutputOptions {
  readonly similarity: string;
  readonly estimator: Estimator;
  readonly samples?: number;
  readonly split: keyof SourceSplits;
  readonly out?: string;
  readonly force?: boolean;
}

/** Settings of a training that matter here: data, and sizes of networks with fresh weights. */
const fields: readonly ConfigField[] = [
  "dataset",
  "dataFolder",
  "synthetic.channels",
  "synthetic.height",
  "synthetic.width",
  "synthetic.classes",
  "synthetic.train",
  "synthetic.validation",
  "synthetic.test",
  "images.size",
  "images.trainTransform",
  "images.transform",
  "images.workers",
  "images.onBad",
  "classes",
  "seed",
  "batchSize",
  "student.layers",
  "student.width",
  "student.firstWidth",
  "guide.baseWidth",
];

/** Samples unless given: Gram matrices of a MB. */
const SAMPLES = 512;

function parseSamples(text: string): number {
  const samples = Number(text);
  if (!Number.isInteger(samples) || samples < 2) throw new InvalidArgumentError("Expected a whole number from 2 on.");
  return samples;
}

export function addCompare(program: Command): void {
  const command = addSetupOptions(
    program
      .command("compare")
      .description("print how alike the layers of two networks represent the same images, as a heat map")
      .argument("<modelA>", `rows: ${SPECS}`)
      .argument("<modelB>", "columns: the same"),
  )
    .addOption(
      new OfferingOption(
        "--similarity <name>",
        `one of ${comparisonNames().join(", ")}, or of a plugin`,
        comparisonNames(),
      ).default("linear-cka"),
    )
    .addOption(
      choiceOption(
        "--estimator <how>",
        "full: of all samples at once; minibatch: unbiased means over batches of --batch, of at least 4",
        estimators,
      ).default("full"),
    )
    .option("--samples <n>", `images to compare on (default: ${SAMPLES}, or all)`, parseSamples)
    .addOption(
      choiceOption("--split <split>", "which images: test, validation, train", ["test", "validation", "train"]).default(
        "test",
      ),
    )
    .option("--out <folder>", "where to write compare.svg, .png, .csv and .json")
    .option("--force", "replace those that are there");
  addOutputOptions(addDeviceOptions(addConfigOptions(command, fields)), "print the result as JSON");
  addExamples(command, [
    ["deep-fcn resnet18 --out comparison", "two networks with fresh weights, and files of it"],
    ["runs/20260131-120000-mnist runs/20260131-120000-mnist:guide --similarity rbf-cka", "a student and its guide"],
    ["resnet18@1 resnet18@2 --estimator minibatch --samples 10000 --batch 64", "two seeds, unbiased over batches"],
  ]);
  command.action((a: string, b: string, options: Options) => compare([a, b], options, command));
}

async function compare(specs: readonly [string, string], options: Options, command: Command): Promise<void> {
  const { similarity, estimator, split, out } = options;
  await importPlugins(options.plugin);
  if (out !== undefined) await checkFiles(out, options.force);
  const compared = [await parseCompared(specs[0]), await parseCompared(specs[1])] as const;
  for (const each of compared) if (each.kind === "run") await importPlugins(each.run.plugins);
  measureOf(similarity, estimator);
  const config = buildConfig(command, options, withDataOfRun(presets[options.preset], compared, command));

  const output = new Output(options);
  const splits = await loadConfigData(config, (line) => output.line(line));
  const { backend, hint } = await open(options).catch(async (error: unknown) => {
    await closeSplits(splits);
    throw error;
  });
  try {
    const source = splits[split];
    const samples = options.samples ?? Math.min(SAMPLES, source.count);
    const first = await buildCompared(compared[0], config, splits.train);
    const second = specs[0] === specs[1] ? first : await buildCompared(compared[1], config, splits.train);
    output.line(`adapter ${backend.name}`);
    if (hint !== undefined) output.line(`hint: ${hint}`);
    const show = patientProgress(output);
    const comparison = await compareNetworks({
      backend,
      networks: [first, second],
      source,
      similarity,
      estimator,
      samples,
      batchSize: config.batchSize,
      seed: config.seed,
      onProgress: ({ stage, ...progress }) => show({ label: stage, ...progress, detail: "" }),
    });
    output.close();
    const facts = {
      similarity,
      estimator,
      samples: comparison.samples,
      ...(estimator === "minibatch" ? { batch: comparison.batchSize } : {}),
      seed: config.seed,
      data: source.name,
      adapter: backend.name,
      models: specs,
    };
    const map = comparisonMap(comparison, facts);
    const result = comparisonJson(comparison, facts);
    const text = `${map.title}\nrows: ${specs[0]}, columns: ${specs[1]}\n\n${heatMapText(map, textOptionsOf(process.stdout))}`;
    output.line("");
    output.result(text, JSON.parse(result));
    if (out === undefined) return;
    await writeFiles(out, map, result);
    output.line(`\nwrote compare.svg, .png, .csv and .json into ${out}`);
  } finally {
    output.close();
    await closeSplits(splits);
    await backend.close();
  }
}

/** Images are those of the first run, unless a data set is named; assignments and options go over it. */
function withDataOfRun(config: TrainConfig, compared: readonly Compared[], command: Command): TrainConfig {
  const named = ["dataset", "data", "config"].some((name) => command.getOptionValueSource(name) === "cli");
  const run = compared.find((each) => each.kind === "run")?.run;
  if (named || !run) return config;
  const { dataset, dataFolder, synthetic, images, classes } = run.config;
  return { ...config, dataset, dataFolder, synthetic, images, classes };
}
