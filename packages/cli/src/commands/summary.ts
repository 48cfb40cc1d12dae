/** `guidance summary`: the two networks of a configuration, layer by layer. */
import {
  buildGuide,
  buildStudent,
  closeSplits,
  imageInput,
  loadExperimentData,
  type NetworkSummary,
  summarizeNetwork,
} from "@guidance/guidance";
import type { Command } from "commander";
import { choiceOption } from "../choices.ts";
import { addExamples } from "../examples.ts";
import { addConfigOptions, addSetupOptions, buildConfig, type SetupOptions } from "../options.ts";
import { importPlugins } from "../plugins.ts";
import { count, table } from "../report/format.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";

const networks = ["both", "student", "guide"] as const;

interface SummaryOptions extends SetupOptions, OutputOptions {
  readonly network: (typeof networks)[number];
}

export function addSummary(program: Command): void {
  const command = addConfigOptions(
    addSetupOptions(
      program.command("summary").description("print the layers, shapes, parameters and FLOPs of student and guide"),
    ),
  ).addOption(choiceOption("--network <network>", `which: ${networks.join(", ")}`, networks).default("both"));
  addOutputOptions(command, "print them as JSON");
  addExamples(command, [
    ["", "both networks of the demonstration"],
    ["--preset notebook --network guide --batch 2", "ResNet-18 on two images"],
  ]);
  command.action((options: SummaryOptions) => summary(options, command));
}

async function summary(options: SummaryOptions, command: Command): Promise<void> {
  await importPlugins(options.plugin);
  const config = buildConfig(command, options);
  const output = new Output(options);
  const splits = await loadExperimentData(config, (line) => output.line(line));
  const build = { student: buildStudent, guide: buildGuide };
  const input = [config.batchSize, ...imageInput(splits).imageShape];
  const summaries = (["student", "guide"] as const)
    .filter((name) => options.network === "both" || options.network === name)
    .map((name) => ({
      name: `${name} ${config[name].name}`,
      ...summarizeNetwork(build[name](config, splits).model.eval(), input),
    }));
  await closeSplits(splits);
  const text = summaries.map((each) => summaryText(each, input)).join("\n\n");
  output.result(text, { input, networks: summaries });
}

function summaryText(
  { name, layers, parameters, buffers, flops }: NetworkSummary & { readonly name: string },
  input: readonly number[],
): string {
  const rows = layers.map((layer) => [
    layer.path,
    layer.type,
    layer.output ? `[${layer.output.join(", ")}]` : "",
    layer.parameters ? layer.parameters.toLocaleString("en") : "",
    layer.flops ? `${count(layer.flops)}FLOP` : "",
  ]);
  const total = [
    `${parameters.toLocaleString("en")} parameters (${count(4 * parameters)}B)`,
    `${buffers.toLocaleString("en")} other values`,
    `${count(flops)}FLOP a forward pass`,
  ].join(", ");
  return `${name} on [${input.join(", ")}]\n${table([["layer", "type", "output", "parameters", "products"], ...rows])}\n${total}`;
}
