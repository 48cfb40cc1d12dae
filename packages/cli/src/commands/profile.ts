/** `guidance profile`: where the time of one training step goes. */
import { writeFileAtomic } from "@guidance/guidance";
import { ValueError } from "@guidance/tensor";
import type { Command } from "commander";
import { open } from "../device.ts";
import { type ProgramTimes, profileText, profileTrace, stepText } from "../report/profile.ts";
import { addStepOptions, planChosenStep, type StepOptions } from "./step.ts";

interface ProfileOptions extends StepOptions {
  readonly trace: string;
}

export function addProfile(program: Command): void {
  const command = addStepOptions(
    program
      .command("profile")
      .description("print what each kernel of a training step takes, and write a trace for ui.perfetto.dev"),
  ).option("--trace <file>", "where the trace goes", "profile-trace.json");
  command.action((options: ProfileOptions) => profile(options, command));
}

async function profile(options: ProfileOptions, command: Command): Promise<void> {
  const { backend, webgpu } = await open(options);
  try {
    if (!webgpu) {
      throw new ValueError({
        what: "profile",
        facts: `${backend.name} has no kernels of its own`,
        expected: "a WebGPU device",
        hint: "Leave --device out, or take gpu, lavapipe or swiftshader",
      });
    }
    const programs = await planChosenStep(webgpu, options, command);
    console.log(`adapter ${webgpu.name}`);
    const profiled: ProgramTimes[] = [];
    for (const { plan, ...program } of programs) {
      const times = await webgpu.profile(plan);
      profiled.push({ ...program, times });
      if (program.name !== undefined) console.log(`\n${program.name}:`);
      console.log(profileText(times, program.name === undefined ? "a step" : "it"));
    }
    if (profiled.length > 1) console.log(`\n${stepText(profiled)}`);
    await writeFileAtomic(options.trace, profileTrace(profiled));
    console.log(`\ntrace in ${options.trace}`);
  } finally {
    await backend.close();
  }
}
