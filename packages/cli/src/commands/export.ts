/** `guidance export`: weights of a run, or of a file, as PyTorch or safetensors read them. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import {
  checkWeightsPath,
  hashFile,
  openNetwork,
  openWeights,
  RunError,
  readGuideRecord,
  systemReason,
} from "@guidance/guidance";
import type { Command } from "commander";
import { choiceOption } from "../choices.ts";
import { addExamples } from "../examples.ts";
import { addOutputOptions } from "../report/output.ts";
import { checkpointOption } from "./eval.ts";
import { checkRun, readRun } from "./run.ts";
import { type WriteOptions, writeWeights } from "./write-weights.ts";

const arms = ["guided", "unguided", "guide"] as const;

interface ExportOptions extends WriteOptions {
  readonly arm?: (typeof arms)[number];
  readonly checkpoint?: string;
}

export function addExport(program: Command): void {
  const command = program
    .command("export")
    .description("write weights as PyTorch (.pth, .pt: torch.load reads them) or .safetensors")
    .argument("<source>", "folder of a run, or a file of weights")
    .argument("<out>", "file to write; its extension decides the format")
    .addOption(choiceOption("--arm <arm>", `which network of the run: ${arms.join(", ")} (default: guided)`, arms))
    .addOption(
      checkpointOption(
        "which weights of a student: last (those a run ends with a score of), best, or top-<step> (default: last)",
      ),
    )
    .option("--force", "replace a file that is there");
  addOutputOptions(command, "print what was written as JSON");
  addExamples(command, [
    ["runs/20260131-120000-mnist student.pth --checkpoint best", "what torch.load reads"],
    ["runs/20260131-120000-mnist guide.safetensors --arm guide", "the guide of a run"],
    ["resnet18.safetensors resnet18.pth", "a file in the other format"],
  ]);
  command.action(exportWeights);
}

async function exportWeights(source: string, out: string, options: ExportOptions): Promise<void> {
  checkWeightsPath(out);
  const isFolder = await stat(source).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return exportRun(source, out, options);
  if (options.arm !== undefined || options.checkpoint !== undefined) {
    throw new RunError({
      what: "export",
      facts: `"${source}" is no folder, and --arm and --checkpoint choose among the networks of a run`,
      expected: "the folder of a run, or a file without them",
      hint: "Check the path",
    });
  }
  await exportFile(source, out, options);
}

async function exportRun(folder: string, out: string, options: ExportOptions): Promise<void> {
  const { arm = "guided", checkpoint } = options;
  await checkRun(folder);
  if (arm !== "guide") {
    const weights = await openNetwork(join(folder, arm), checkpoint ?? "last");
    try {
      return await writeWeights("export", out, weights, options);
    } finally {
      await weights.close();
    }
  }
  if (checkpoint !== undefined && checkpoint !== "last") {
    throw new RunError({
      what: "export",
      facts: `a guide has no checkpoint "${checkpoint}"`,
      expected: "its last weights",
      hint: "Leave --checkpoint out",
    });
  }
  return exportFile(await guideFile(folder), out, options);
}

/** The file with the weights of a run's guide. */
export async function guideFile(folder: string): Promise<string> {
  const { guides } = await readRun(folder);
  const record = await readGuideRecord(folder);
  if (!record) {
    throw new RunError({
      what: "export",
      facts: `the guide of "${folder}" has random weights, which are in no file`,
      expected: "a guide that was trained or loaded",
      hint: "Export a student: --arm guided",
    });
  }
  if ("key" in record) return join(guides, `${record.key}.safetensors`);
  const { weights, sha256 } = record;
  const now = await hashFile(weights).catch(systemReason);
  if (now === sha256) return weights;
  throw new RunError({
    what: "export",
    facts: `the guide of "${folder}" came from "${weights}", which is another file now (${now})`,
    expected: `sha256 ${sha256}`,
    hint: "Restore the file",
  });
}

async function exportFile(path: string, out: string, options: ExportOptions): Promise<void> {
  const file = await openWeights(path);
  try {
    await writeWeights("export", out, file, options);
  } finally {
    await file.close();
  }
}
