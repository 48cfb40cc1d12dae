/** `guidance profile`: where the time of one training step goes. */
import { writeFileAtomic } from "@guidance/guidance";
import { ValueError } from "@guidance/tensor";
import type { Command } from "commander";
import { open } from "../device.ts";
import { addExamples } from "../examples.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { type ProgramTimes, profileText, profileTrace, programJson, stepText } from "../report/profile.ts";
import { checkOutput } from "./output-file.ts";
import { addStepOptions, planChosenStep, type StepOptions, stepConfig } from "./step.ts";

interface ProfileOptions extends StepOptions, OutputOptions {
  readonly trace: string;
}

export function addProfile(program: Command): void {
  const command = addStepOptions(
    program
      .command("profile")
      .description("print what each kernel of a training step takes, and write a trace for ui.perfetto.dev"),
  ).option("--trace <file>", "where the trace goes", "profile-trace.json");
  addOutputOptions(command, "print the times of all kernels as JSON");
  addExamples(command, [
    ["", "a guided step of the demonstration"],
    ["--step unguided --batch 512 --trace wide.json", "another step, and where its trace goes"],
  ]);
  command.action((options: ProfileOptions) => profile(options, command));
}

async function profile(options: ProfileOptions, command: Command): Promise<void> {
  await checkOutput("profile", options.trace, true);
  const config = await stepConfig(options, command);
  const output = new Output(options);
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
    const programs = await planChosenStep(webgpu, config, options.step, (line) => output.line(line));
    output.line(`adapter ${webgpu.name}`);
    const profiled: ProgramTimes[] = [];
    for (const { plan, ...program } of programs) {
      const times = await webgpu.profile(plan, undefined, (done, total) =>
        output.progress({ label: "profile", done, total, detail: program.name ?? "" }),
      );
      output.close();
      profiled.push({ ...program, times });
    }
    await writeFileAtomic(options.trace, profileTrace(profiled));
    const texts = profiled.map(({ name, times }) =>
      name === undefined ? profileText(times, "a step") : `\n${name}:\n${profileText(times, "it")}`,
    );
    if (profiled.length > 1) texts.push(`\n${stepText(profiled)}`);
    output.result(texts.join("\n"), { adapter: webgpu.name, programs: profiled.map(programJson) });
    output.line(`\ntrace in ${options.trace}`);
  } finally {
    output.close();
    await backend.close();
  }
}
