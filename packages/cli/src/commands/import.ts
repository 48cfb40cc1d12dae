/** `guidance import`: weights of any known file as safetensors. */
import { checkWeightsPath, openWeights, type SavedWeights, saveWeights, WeightsError } from "@guidance/guidance";
import { formatBytes } from "@guidance/tensor";
import type { Command } from "commander";
import { addExamples } from "../examples.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { checkOutput } from "./output-file.ts";

export function addImport(program: Command): void {
  const command = program
    .command("import")
    .description("convert weights of PyTorch (.pth, .pt) to safetensors; nothing in the file is executed")
    .argument("<file>", "file of torch.save(model.state_dict(), ...), or .safetensors")
    .argument("<out>", "file to write, .safetensors")
    .option("--force", "replace a file that is there");
  addOutputOptions(command, "print what was written as JSON");
  addExamples(command, [["resnet18.pth resnet18.safetensors", "weights of torchvision for --guide-weights"]]);
  command.action(importWeights);
}

interface ImportOptions extends OutputOptions {
  readonly force?: boolean;
}

async function importWeights(path: string, out: string, options: ImportOptions): Promise<void> {
  if (!out.endsWith(".safetensors")) {
    throw new WeightsError({
      what: "import",
      facts: `the file to write is "${out}"`,
      expected: "a name that ends in .safetensors",
      hint: "guidance export writes .pth",
    });
  }
  // the input first: a wrong one is not to be told as an output that is there
  const file = await openWeights(path);
  try {
    await checkWeightsOutput(out, options.force);
    tellWritten(out, await saveWeights(out, file), options);
  } finally {
    await file.close();
  }
}

/** Throws WeightsError where `out` has no known extension, RunError where it may not be written. */
export async function checkWeightsOutput(out: string, force?: boolean): Promise<void> {
  checkWeightsPath(out);
  await checkOutput("output", out, force);
}

/** The one line that says what was written. */
export function tellWritten(out: string, { tensors, bytes }: SavedWeights, options: OutputOptions): void {
  new Output(options).result(`wrote ${out}: ${tensors} tensors, ${formatBytes(bytes)}`, { out, tensors, bytes });
}
