/** `guidance tune`: measures the alternatives of kernels on this device and keeps what is fastest for later runs. */
import type { TunedKernel } from "@guidance/shaders";
import { ValueError } from "@guidance/tensor";
import type { Command } from "commander";
import { deviceOf } from "../device.ts";
import { addExamples } from "../examples.ts";
import { duration } from "../report/format.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { readChoices, writeChoices } from "../tuning.ts";
import { addStepOptions, planChosenStep, type StepOptions, stepConfig } from "./step.ts";

export function addTune(program: Command): void {
  const command = addStepOptions(
    program
      .command("tune")
      .description("measure the alternatives for the kernels of a training step, and keep the fastest for this device"),
  );
  addOutputOptions(command, "print the times as JSON");
  addExamples(command, [
    ["", "the kernels of the demonstration"],
    ["--preset notebook --batch 4", "those of the notebook's step"],
  ]);
  command.action((options: StepOptions & OutputOptions) => tune(options, command));
}

async function tune(options: StepOptions & OutputOptions, command: Command): Promise<void> {
  const config = await stepConfig(options, command);
  const device = deviceOf(options);
  if (device === "cpu") {
    throw new ValueError({
      what: "tune",
      facts: "the CPU backend has no alternatives",
      expected: "a WebGPU device",
      hint: "Leave --device out, or take gpu, lavapipe or swiftshader",
    });
  }
  const output = new Output(options);
  const { createBackend, openDevice } = await import("@guidance/shaders");
  const opened = await openDevice({ device });
  const before = await readChoices(opened, (line) => output.line(line));
  const backend = createBackend(opened, options.budget === undefined ? {} : { budgetBytes: options.budget * 1e9 });
  try {
    output.line(`adapter ${backend.name}`);
    const started = performance.now();
    const tuned: TunedKernel[] = [];
    const programs = await planChosenStep(backend, config, options.step, (line) => output.line(line));
    for (const { name, plan, runs } of programs) {
      if (name !== undefined) output.line(`${name}:`);
      const kernels = await backend.tune(plan, (kernel, done, total) => {
        output.line(lineOf(kernel));
        output.progress({ label: "tune", done, total, detail: "" });
      });
      output.close();
      tuned.push(...kernels.map((kernel) => ({ ...kernel, count: kernel.count * runs })));
    }
    // what other networks' kernels were tuned to stands
    const choices = new Map(before);
    for (const { key, best } of tuned) {
      if (best === undefined) choices.delete(key);
      else choices.set(key, best);
    }
    const saved = tuned.reduce((sum, { count, before, best, timed }) => {
      const after = timed.find(({ choice }) => choice === best)?.seconds ?? before;
      return sum + count * (before - after);
    }, 0);
    const file = await writeChoices(opened, choices);
    const seconds = (performance.now() - started) / 1000;
    output.result(
      `${tuned.length} sizes measured in ${duration(seconds)}; ` +
        `what is fastest saves ${(saved * 1e3).toFixed(2)} ms a step, and is in ${file}`,
      { adapter: backend.name, seconds, savedSeconds: saved, file, kernels: tuned },
    );
  } finally {
    output.close();
    await backend.close();
  }
}

const microseconds = (seconds: number | undefined) => (seconds === undefined ? "-" : (seconds * 1e6).toFixed(0));

/** E.g. `matmul 1x128x128x128 NT (49 x): now 135 us; subgroup-32 136, subgroup-16 120, tiled 900: takes subgroup-16`. */
function lineOf({ key, count, before, timed, best }: TunedKernel): string {
  const all = timed.map(({ choice, seconds }) => `${choice} ${microseconds(seconds)}`).join(", ");
  return `${key} (${count} x): now ${microseconds(before)} us; ${all}: ${best ? `takes ${best}` : "stays"}`;
}
