/** `guidance plot`: one figure of runs as an SVG or PNG file. */
import { extname } from "node:path";
import { RunError, writeFileAtomic } from "@guidance/guidance";
import { type Command, InvalidArgumentError, Option } from "commander";
import { choiceOption } from "../choices.ts";
import { addExamples } from "../examples.ts";
import { MOST_RUNS } from "../figures/look.ts";
import { FIGURES, type FigureName, runFigure } from "../figures/run-figures.ts";
import { stackSvg } from "../figures/stack.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { checkOutput } from "./output-file.ts";
import { svgToPng } from "./png.ts";
import { readRuns } from "./recorded.ts";

interface Options extends OutputOptions {
  readonly figure: FigureName;
  readonly out: string;
  readonly force?: boolean;
}

function pictureFile(path: string): string {
  if ([".svg", ".png"].includes(extname(path).toLowerCase())) return path;
  throw new InvalidArgumentError("Expected a name that ends in .svg or .png.");
}

export function addPlot(program: Command): void {
  const command = program
    .command("plot")
    .description("draw one figure of runs, finished or not, into a file")
    .argument("<run...>", `folders of runs; up to ${MOST_RUNS} lie in one picture`)
    .addOption(choiceOption("--figure <name>", FIGURES.join(", "), FIGURES).makeOptionMandatory())
    .addOption(
      new Option("--out <file>", "the file to write, .svg or .png").argParser(pictureFile).makeOptionMandatory(),
    )
    .option("--force", "replace a file that is there");
  addOutputOptions(command, "print the name of the file as JSON");
  addExamples(command, [
    ["runs/20260131-120000-mnist --figure loss --out loss.png", ""],
    ["runs/first runs/second --figure accuracy --out accuracy.svg", "two runs in one picture"],
    ["runs/20260131-120000-mnist --figure layers --out layers.svg --force", "similarity of layers over time"],
  ]);
  command.action(plot);
}

async function plot(folders: readonly string[], { figure, out, force, ...options }: Options): Promise<void> {
  await checkOutput("plot", out, force);
  const svgs = runFigure(figure, await readRuns(folders));
  if (svgs.length === 0) {
    throw new RunError({
      what: "plot",
      facts: `${folders.map((folder) => `"${folder}"`).join(", ")} recorded nothing for the figure "${figure}"`,
      hint: NEEDS[figure] ?? "Wait for the first steps",
    });
  }
  const svg = stackSvg(svgs);
  await writeFileAtomic(out, extname(out).toLowerCase() === ".png" ? await svgToPng(svg) : svg);
  new Output(options).result(`${figure} is in ${out}`, { figure, file: out, runs: folders });
}

const NEEDS: { readonly [Name in FigureName]?: string } = {
  gradients: "Train with --inspect-every",
  accuracy: "Wait for the first validation",
};
