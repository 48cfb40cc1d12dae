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
import { type Command, Option } from "commander";
import { addConfigOptions, addSetupOptions, buildConfig, oneOf, type SetupOptions } from "../options.ts";
import { importPlugins } from "../plugins.ts";
import { count, table } from "../report/format.ts";

const networks = ["both", "student", "guide"] as const;

interface SummaryOptions extends SetupOptions {
  readonly network: (typeof networks)[number];
  readonly json?: boolean;
}

export function addSummary(program: Command): void {
  const command = addConfigOptions(
    addSetupOptions(
      program.command("summary").description("print the layers, shapes, parameters and FLOPs of student and guide"),
    ),
  )
    .addOption(
      new Option("--network <network>", `which: ${networks.join(", ")}`).argParser(oneOf(networks)).default("both"),
    )
    .option("--json", "as JSON")
    .option("--debug", "show stacks of errors");
  command.action((options: SummaryOptions) => summary(options, command));
}

async function summary(options: SummaryOptions, command: Command): Promise<void> {
  await importPlugins(options.plugin);
  const config = buildConfig(command, options);
  const splits = await loadExperimentData(config);
  const build = { student: buildStudent, guide: buildGuide };
  const input = [config.batchSize, ...imageInput(splits).imageShape];
  const summaries = (["student", "guide"] as const)
    .filter((name) => options.network === "both" || options.network === name)
    .map((name) => ({
      name: `${name} ${config[name].name}`,
      ...summarizeNetwork(build[name](config, splits).model.eval(), input),
    }));
  await closeSplits(splits);
  if (options.json) console.log(JSON.stringify({ input, networks: summaries }, undefined, 2));
  else console.log(summaries.map((each) => summaryText(each, input)).join("\n\n"));
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
