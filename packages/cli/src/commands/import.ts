/** `guidance import`: weights of any known file as safetensors. */
import { access } from "node:fs/promises";
import { checkWeightsPath, openWeights, type SavedWeights, saveWeights, WeightsError } from "@guidance/guidance";
import { formatBytes } from "@guidance/tensor";
import type { Command } from "commander";

export function addImport(program: Command): void {
  program
    .command("import")
    .description("convert weights of PyTorch (.pth, .pt) to safetensors; nothing in the file is executed")
    .argument("<file>", "file of torch.save(model.state_dict(), ...), or .safetensors")
    .argument("<out>", "file to write, .safetensors")
    .option("--force", "replace a file that is there")
    .option("--debug", "show stacks of errors")
    .action(importWeights);
}

async function importWeights(path: string, out: string, { force }: { readonly force?: boolean }): Promise<void> {
  if (!out.endsWith(".safetensors")) {
    throw new WeightsError({
      what: "import",
      facts: `the file to write is "${out}"`,
      expected: "a name that ends in .safetensors",
      hint: "guidance export writes .pth",
    });
  }
  await checkOutput(out, force);
  const file = await openWeights(path);
  try {
    tellWritten(out, await saveWeights(out, file));
  } finally {
    await file.close();
  }
}

/** Throws WeightsError where `out` has no known extension, or is there already and may not be replaced. */
export async function checkOutput(out: string, force = false): Promise<void> {
  checkWeightsPath(out);
  if (force) return;
  const exists = await access(out).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new WeightsError({
    what: "output",
    facts: `there is a file "${out}" already`,
    expected: "a new file",
    hint: "Choose another name, or replace it with --force",
  });
}

/** The one line that says what was written. */
export function tellWritten(out: string, { tensors, bytes }: SavedWeights): void {
  console.log(`wrote ${out}: ${tensors} tensors, ${formatBytes(bytes)}`);
}
