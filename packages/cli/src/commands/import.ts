/** `guidance import`: weights of any known file as safetensors. */
import { openWeights, WeightsError } from "@guidance/guidance";
import type { Command } from "commander";
import { addExamples } from "../examples.ts";
import { addOutputOptions } from "../report/output.ts";
import { type WriteOptions, writeWeights } from "./write-weights.ts";

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

async function importWeights(path: string, out: string, options: WriteOptions): Promise<void> {
  if (!out.endsWith(".safetensors")) {
    throw new WeightsError({
      what: "import",
      facts: `the file to write is "${out}"`,
      expected: "a name that ends in .safetensors",
      hint: "guidance export writes .pth",
    });
  }
  // the input first: where both are wrong, it is what is told
  const file = await openWeights(path);
  try {
    await writeWeights("import", out, file, options);
  } finally {
    await file.close();
  }
}
