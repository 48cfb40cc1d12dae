/** The commands and how they take and refuse arguments. */
import { Command } from "commander";
import { addBench } from "./commands/bench.ts";
import { addCompare } from "./commands/compare.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEval } from "./commands/eval.ts";
import { addExport } from "./commands/export.ts";
import { addFetch } from "./commands/fetch.ts";
import { addImport } from "./commands/import.ts";
import { addPlan } from "./commands/plan.ts";
import { addPredict } from "./commands/predict.ts";
import { addProfile } from "./commands/profile.ts";
import { addSchema } from "./commands/schema.ts";
import { addSummary } from "./commands/summary.ts";
import { addTrain } from "./commands/train.ts";
import { addTune } from "./commands/tune.ts";
import { addUi } from "./commands/ui.ts";

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
  addPlan(program);
  addSummary(program);
  addPredict(program);
  addProfile(program);
  addTune(program);
  addBench(program);
  addSchema(program);
  addDoctor(program);
  return program;
}
