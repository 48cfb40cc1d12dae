/**
 * `guidance bench --full`: the notebook's own step at full size, on made-up images. Networks, loss and update are those of
 * `train --preset notebook`; weights are made up too, since speed does not depend on them.
 */
import { formatBytes, ValueError } from "@guidance/tensor";
import { type Command, InvalidArgumentError } from "commander";
import { addDeviceOptions, type DeviceOptions, open } from "../device.ts";
import { addExamples } from "../examples.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { kindsText, programJson } from "../report/profile.ts";
import { planNotebookStep } from "./step.ts";

interface BenchOptions extends DeviceOptions, OutputOptions {
  readonly full?: boolean;
  readonly batch: number;
  readonly rounds: number;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("Expected a whole number from 1 on.");
  return count;
}

export function addBench(program: Command): void {
  const command = program
    .command("bench")
    .description("time the notebook's training step at full size (other workloads: pnpm bench)")
    .option("--full", "DeepFCN 150528-2048-1024x47-1000 under ResNet-18, 224 x 224 images")
    .option("--batch <n>", "images in a batch, at least 2", parseCount, 256)
    .option("--rounds <n>", "runs of which the median counts", parseCount, 3);
  addOutputOptions(addDeviceOptions(command), "print the times of all kernels as JSON");
  addExamples(command, [["--full --batch 4", "what fits a machine with 8 GB"]]);
  command.action(bench);
}

async function bench(options: BenchOptions): Promise<void> {
  if (!options.full) {
    throw new ValueError({
      what: "bench",
      facts: "there is only the full one here",
      expected: "--full",
      hint: "The other workloads are timed by pnpm bench",
    });
  }
  const output = new Output(options);
  const { backend, webgpu } = await open(options);
  try {
    if (!webgpu) {
      throw new ValueError({
        what: "bench",
        facts: `${backend.name} takes hours for a step`,
        expected: "a WebGPU device",
      });
    }
    const started = performance.now();
    const plan = await planNotebookStep(webgpu, options.batch);
    const { memory, flops, calls } = plan;
    output.line(`adapter ${webgpu.name}`);
    output.line(
      `planned in ${((performance.now() - started) / 1000).toFixed(1)} s: batch ${options.batch}, ${calls.length} kernels, ` +
        `${(flops / 1e12).toFixed(3)} TFLOP, peak memory ${formatBytes(memory.peak)} (weights and moments ${formatBytes(memory.variables)})`,
    );
    const times = await webgpu.profile(plan, options.rounds, (done, total) =>
      output.progress({ label: "bench", done, total, detail: "" }),
    );
    output.close();
    const { step, method } = times;
    output.result(
      `a step takes ${step.toFixed(3)} s: ${(options.batch / step).toFixed(1)} images/s, ${(flops / step / 1e12).toFixed(3)} TFLOP/s` +
        `\n\nkernels by ${method}:\n${kindsText(times)}`,
      { adapter: webgpu.name, batch: options.batch, flops, memory, ...programJson({ runs: options.rounds, times }) },
    );
  } finally {
    output.close();
    await backend.close();
  }
}
