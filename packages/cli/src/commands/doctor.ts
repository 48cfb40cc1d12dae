/** `guidance doctor`: what this machine offers, whether its kernels are right, and what would be faster. */
import { cpus, freemem, totalmem } from "node:os";
import type { WebGpuBackend } from "@guidance/shaders";
import { formatBytes } from "@guidance/tensor";
import type { Command } from "commander";
import { addDeviceOptions, type DeviceOptions, type Opened, open } from "../device.ts";
import { SilentFailure } from "../errors.ts";
import { duration } from "../report/format.ts";
import { runSelfTests } from "../selftest/run.ts";
import { dawnVersion } from "./run.ts";

export function addDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("print device, driver and limits, and test every kernel against the CPU");
  addDeviceOptions(command);
  command.option("--debug", "show stacks of errors");
  command.action(doctor);
}

async function doctor(options: DeviceOptions): Promise<void> {
  print("Node", `${process.version} on ${process.platform} ${process.arch}`);
  print("Dawn", dawnVersion() ?? "not installed (npm package webgpu)");
  print("processor", `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}`);
  print("memory", `${formatBytes(freemem())} free of ${formatBytes(totalmem())}`);
  const opened = await open(options);
  try {
    print("backend", opened.backend.name);
    print("budget", formatBudget(opened.backend.limits.budgetBytes));
    if (opened.webgpu) describeAdapter(opened.webgpu);
    await selfTest(opened);
    print("speed", opened.hint ?? "nothing faster is known to be an install away");
  } finally {
    await opened.backend.close();
  }
}

const print = (name: string, value: string): void => console.log(`${name.padEnd(12)}${value}`);

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

function describeAdapter({ opened, traits }: WebGpuBackend): void {
  const { info, kind, features, limits } = opened;
  print("adapter", `${kind}: vendor ${info.vendor || "?"}, architecture ${info.architecture || "?"}`);
  print("driver", [info.device, info.description].filter(Boolean).join(", ") || "not told");
  print("features", [...features].sort().join(", ") || "none");
  print("subgroups", traits.subgroupSize > 0 ? `of ${traits.subgroupSize}` : "none of one fixed size");
  for (const name of shownLimits) {
    const value = limits[name] as number;
    console.log(`  ${name.padEnd(36)}${name.endsWith("Size") ? formatBytes(value) : value}`);
  }
}

/** Prints one line, and one for each op that is wrong; throws when there is one. */
async function selfTest({ backend }: Opened): Promise<void> {
  const started = performance.now();
  let tested = 0;
  let lacking = "";
  const wrong: string[] = [];
  for await (const { op, fault, lacks } of runSelfTests(backend)) {
    if (lacks !== undefined) {
      lacking += `; ${op} needs ${lacks}, which this device lacks`;
      continue;
    }
    tested += 1;
    if (fault === undefined) continue;
    wrong.push(op);
    print("WRONG", `${op}: ${fault}`);
  }
  const time = duration((performance.now() - started) / 1000);
  print("self-test", `${tested - wrong.length} of ${tested} ops agree with the CPU backend (${time})${lacking}`);
  if (wrong.length > 0) throw new SilentFailure(`wrong: ${wrong.join(", ")}`);
}
