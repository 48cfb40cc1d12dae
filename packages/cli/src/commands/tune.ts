/** `guidance tune`: measures the alternatives of kernels on this device and keeps what is fastest for later runs. */
import { createBackend, openDevice, type TunedKernel } from "@guidance/shaders";
import { ValueError } from "@guidance/tensor";
import type { Command } from "commander";
import { deviceOf } from "../device.ts";
import { duration } from "../report/format.ts";
import { readChoices, writeChoices } from "../tuning.ts";
import { addStepOptions, planChosenStep, type StepOptions } from "./step.ts";

export function addTune(program: Command): void {
  const command = addStepOptions(
    program
      .command("tune")
      .description("measure the alternatives for the kernels of a training step, and keep the fastest for this device"),
  );
  command.action((options: StepOptions) => tune(options, command));
}

async function tune(options: StepOptions, command: Command): Promise<void> {
  const device = deviceOf(options);
  if (device === "cpu") {
    throw new ValueError({
      what: "tune",
      facts: "the CPU backend has no alternatives",
      expected: "a WebGPU device",
      hint: "Leave --device out, or take gpu, lavapipe or swiftshader",
    });
  }
  const opened = await openDevice({ device });
  const before = await readChoices(opened, (line) => console.log(line));
  const backend = createBackend(opened, options.budget === undefined ? {} : { budgetBytes: options.budget * 1e9 });
  try {
    console.log(`adapter ${backend.name}`);
    const started = performance.now();
    const tuned: TunedKernel[] = [];
    for (const { name, plan, runs } of await planChosenStep(backend, options, command)) {
      if (name !== undefined) console.log(`${name}:`);
      const kernels = await backend.tune(plan, (kernel) => console.log(lineOf(kernel)));
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
    console.log(
      `${tuned.length} sizes measured in ${duration((performance.now() - started) / 1000)}; ` +
        `what is fastest saves ${(saved * 1e3).toFixed(2)} ms a step, and is in ${file}`,
    );
  } finally {
    await backend.close();
  }
}

const microseconds = (seconds: number | undefined) => (seconds === undefined ? "-" : (seconds * 1e6).toFixed(0));

/** E.g. `matmul 1x128x128x128 NT (49 x): now 135 us; subgroup-32 136, subgroup-16 120, tiled 900: takes subgroup-16`. */
function lineOf({ key, count, before, timed, best }: TunedKernel): string {
  const all = timed.map(({ choice, seconds }) => `${choice} ${microseconds(seconds)}`).join(", ");
  return `${key} (${count} x): now ${microseconds(before)} us; ${all}: ${best ? `takes ${best}` : "stays"}`;
}
