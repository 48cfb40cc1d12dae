/** `guidance doctor`: what this machine offers, whether its kernels are right, and what would be faster. */
import { cpus, freemem, totalmem } from "node:os";
import type { WebGpuBackend } from "@guidance/shaders";
import { formatBytes } from "@guidance/tensor";
import type { Command } from "commander";
import { addDeviceOptions, type DeviceOptions, type Opened, open } from "../device.ts";
import { SilentFailure } from "../errors.ts";
import { addExamples } from "../examples.ts";
import { duration } from "../report/format.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { patientProgress } from "../report/patience.ts";
import { dawnVersion } from "./run.ts";

export function addDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("print device, driver and limits, and test every kernel against the CPU");
  addOutputOptions(addDeviceOptions(command), "print what it finds as JSON");
  addExamples(command, [
    ["", "the device that a run would take"],
    ["--device swiftshader", "another one"],
  ]);
  command.action(doctor);
}

/** What is found, printed line by line and kept for machines. */
class Findings {
  readonly all: Record<string, unknown> = {};
  readonly output: Output;

  constructor(output: Output) {
    this.output = output;
  }

  tell(name: string, text: string, value: unknown = text): void {
    this.all[name] = value;
    this.output.line(`${name.padEnd(12)}${text}`);
  }
}

async function doctor(options: DeviceOptions & OutputOptions): Promise<void> {
  const found = new Findings(new Output(options));
  found.tell("Node", `${process.version} on ${process.platform} ${process.arch}`);
  found.tell("Dawn", dawnVersion() ?? "not installed (npm package webgpu)");
  found.tell("processor", `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}`);
  const memory = { free: freemem(), total: totalmem() };
  found.tell("memory", `${formatBytes(memory.free)} free of ${formatBytes(memory.total)}`, memory);
  const opened = await open(options);
  try {
    const { budgetBytes } = opened.backend.limits;
    found.tell("backend", opened.backend.name);
    found.tell("budget", formatBudget(budgetBytes), Number.isFinite(budgetBytes) ? budgetBytes : null);
    if (opened.webgpu) describeAdapter(opened.webgpu, found);
    const wrong = await selfTest(opened, found);
    found.tell("speed", opened.hint ?? "nothing faster is known to be an install away", opened.hint ?? null);
    const verdict = wrong.length > 0 ? `WRONG: ${wrong.join(", ")}` : "every kernel is right";
    found.output.result(verdict, found.all);
    if (wrong.length > 0) throw new SilentFailure(verdict);
  } finally {
    found.output.close();
    await opened.backend.close();
  }
}

const formatBudget = (bytes: number): string =>
  Number.isFinite(bytes) ? `${formatBytes(bytes)} for all buffers together` : "unlimited";

/** Limits that decide what fits and how kernels are cut. */
const shownLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

function describeAdapter({ opened, traits }: WebGpuBackend, found: Findings): void {
  const { info, kind, features, limits } = opened;
  found.tell("adapter", `${kind}: vendor ${info.vendor || "?"}, architecture ${info.architecture || "?"}`);
  found.tell("driver", [info.device, info.description].filter(Boolean).join(", ") || "not told");
  const names = [...features].sort();
  found.tell("features", names.join(", ") || "none", names);
  const { subgroupSize } = traits;
  found.tell("subgroups", subgroupSize > 0 ? `of ${subgroupSize}` : "none of one fixed size", subgroupSize);
  found.all.limits = Object.fromEntries(shownLimits.map((name) => [name, limits[name]]));
  for (const name of shownLimits) {
    const value = limits[name] as number;
    found.output.line(`  ${name.padEnd(36)}${name.endsWith("Size") ? formatBytes(value) : value}`);
  }
}

/** Prints one line, and one for each op that is wrong; returns their names. */
async function selfTest({ backend }: Opened, found: Findings): Promise<string[]> {
  const { selfTests } = await import("../selftest/cases.ts");
  const { runSelfTests } = await import("../selftest/run.ts");
  const started = performance.now();
  let tested = 0;
  let lacking = "";
  const wrong: string[] = [];
  const progress = patientProgress(found.output);
  for await (const { op, fault, lacks } of runSelfTests(backend)) {
    if (lacks !== undefined) {
      lacking += `; ${op} needs ${lacks}, which this device lacks`;
      continue;
    }
    tested += 1;
    progress({ label: "self-test", done: tested, total: selfTests.size, detail: "" });
    if (fault === undefined) continue;
    wrong.push(op);
    found.tell("WRONG", `${op}: ${fault}`);
  }
  found.output.close();
  const time = duration((performance.now() - started) / 1000);
  const text = `${tested - wrong.length} of ${tested} ops agree with the CPU backend (${time})${lacking}`;
  found.tell("self-test", text, { tested, wrong });
  return wrong;
}
