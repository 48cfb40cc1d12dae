/** `guidance report`: runs as one HTML page that needs nothing beside it. */
import { writeFileAtomic } from "@guidance/guidance";
import type { Command } from "commander";
import { addExamples } from "../examples.ts";
import { MOST_RUNS } from "../figures/look.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { reportPage } from "../report/page.ts";
import { checkOutput } from "./output-file.ts";
import { readRuns } from "./recorded.ts";

interface Options extends OutputOptions {
  readonly out: string;
  readonly force?: boolean;
}

export function addReport(program: Command): void {
  const command = program
    .command("report")
    .description("write one HTML page about runs, finished or not: figures, scores, configuration, environment")
    .argument("<run...>", `folders of runs; up to ${MOST_RUNS} are compared`)
    .option("--out <file>", "the file to write", "report.html")
    .option("--force", "replace a file that is there");
  addOutputOptions(command, "print the name of the file as JSON");
  addExamples(command, [
    ["runs/20260131-120000-mnist", "writes report.html"],
    ["runs/first runs/second --out comparison.html --force", "two runs and where they differ"],
  ]);
  command.action(report);
}

async function report(folders: readonly string[], { out, force, ...options }: Options): Promise<void> {
  await checkOutput("report", out, force);
  await writeFileAtomic(out, reportPage(await readRuns(folders)));
  new Output(options).result(`the report is in ${out}`, { file: out, runs: folders });
}
