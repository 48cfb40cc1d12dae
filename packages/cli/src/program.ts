/** The commands and how they take and refuse arguments. */
import { Command } from "commander";
import { addBench } from "./commands/bench.ts";
import { addCompare } from "./commands/compare.ts";
import { addCompletion } from "./commands/completion.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEval } from "./commands/eval.ts";
import { addExport } from "./commands/export.ts";
import { addFetch } from "./commands/fetch.ts";
import { addImport } from "./commands/import.ts";
import { addPlan } from "./commands/plan.ts";
import { addPlot } from "./commands/plot.ts";
import { addPredict } from "./commands/predict.ts";
import { addProfile } from "./commands/profile.ts";
import { addReport } from "./commands/report.ts";
import { addSchema } from "./commands/schema.ts";
import { addSummary } from "./commands/summary.ts";
import { addTrain } from "./commands/train.ts";
import { addTune } from "./commands/tune.ts";
import { addUi } from "./commands/ui.ts";

/** What stands below the list of commands. */
const HELP = `
Examples:
  guidance train                       the demonstration: a student of 50 layers on MNIST, with guide and without
  guidance plan --preset notebook      what the notebook's run takes on this device
  guidance doctor                      whether this machine's kernels are right
  guidance <command> --help            all options of a command, and more examples

Exit status: 0 done, 1 an error (one line on standard error; --debug adds the stack), 130 and 143 stopped by SIGINT and
SIGTERM, with what was trained saved. Environment: GUIDANCE_DEVICE, HF_TOKEN, HF_ENDPOINT,
NO_COLOR.`;

/** The whole command line, ready to parse. */
export function buildProgram(): Command {
  const program = new Command("guidance")
    .description("Trains networks that do not train by themselves, under the guidance of others, on WebGPU.")
    .showSuggestionAfterError()
    .exitOverride()
    // commander breaks its messages into lines; one is enough
    .configureOutput({ outputError: (text, write) => write(`${text.trim().replace(/\s*\n\s*/g, " ")}\n`) });
  addTrain(program);
  addUi(program);
  addEval(program);
  addFetch(program);
  addImport(program);
  addExport(program);
  addCompare(program);
  addReport(program);
  addPlot(program);
  addPlan(program);
  addSummary(program);
  addPredict(program);
  addProfile(program);
  addTune(program);
  addBench(program);
  addSchema(program);
  addDoctor(program);
  addCompletion(program);
  program.addHelpText("after", HELP);
  return program;
}
