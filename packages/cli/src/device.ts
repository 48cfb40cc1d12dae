/** Opens the backend a command runs on. */
import type { DeviceChoice, WebGpuBackend } from "@guidance/shaders";
import { type Backend, cpuBackend, memoryBudget, ValueError } from "@guidance/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { choiceOption } from "./choices.ts";
import { type Choices, readChoices } from "./tuning.ts";

/** What `--device` takes: WebGPU adapters, and the reference backend. */
export type Device = DeviceChoice | "cpu";

// named here, so that the kernels are loaded only where they run
const deviceNames: Readonly<Record<Device, true>> = {
  auto: true,
  gpu: true,
  lavapipe: true,
  swiftshader: true,
  cpu: true,
};
const devices = Object.keys(deviceNames) as Device[];

export interface DeviceOptions {
  readonly device?: Device;
  /** GB (10^9 bytes) all buffers together may take. */
  readonly budget?: number;
}

export interface Opened {
  readonly backend: Backend;
  /** Unless the backend is the CPU's. */
  readonly webgpu?: WebGpuBackend;
  /** One line on which faster device is an install away. */
  readonly hint?: string;
}

function parseBudget(text: string): number {
  const budget = Number(text);
  if (!(budget > 0)) throw new InvalidArgumentError("Expected a number of GB above 0.");
  return budget;
}

/** Adds `--device` and `--budget`. */
export function addDeviceOptions(command: Command): Command {
  return command
    .addOption(
      choiceOption(
        "--device <device>",
        `${devices.join(", ")} (default: the environment variable GUIDANCE_DEVICE, else auto)`,
        devices,
      ),
    )
    .addOption(
      new Option(
        "--budget <GB>",
        "memory all buffers may take (default: 70 % of what is free, unlimited on a GPU)",
      ).argParser(parseBudget),
    );
}

function deviceOfEnvironment(): Device {
  const value = process.env.GUIDANCE_DEVICE || "auto";
  const device = devices.find((known) => known === value);
  if (device) return device;
  throw new ValueError({
    what: "GUIDANCE_DEVICE",
    facts: `it is "${value}"`,
    expected: `one of ${devices.join(", ")}`,
  });
}

/** The device asked for, by option or environment. */
export const deviceOf = ({ device }: DeviceOptions): Device => device ?? deviceOfEnvironment();

/**
 * Opens the device asked for, with the kernels it was tuned to or those given; throws where there is none, saying what
 * to install.
 */
export async function open(options: DeviceOptions, choices?: Choices): Promise<Opened> {
  const device = deviceOf(options);
  const { budget } = options;
  if (device === "cpu") {
    // its memory is the machine's, as a software adapter's is
    const budgetBytes = budget === undefined ? memoryBudget() : budget * 1e9;
    return {
      backend: cpuBackend({ budgetBytes }),
      hint: "this is the reference backend; --device auto takes a GPU or a software WebGPU device",
    };
  }
  const { createBackend, openDevice } = await import("@guidance/shaders");
  const opened = await openDevice({ device });
  const { hint } = opened;
  const webgpu = createBackend(opened, {
    choices: choices ?? (await readChoices(opened, (line) => console.error(line))),
    ...(budget === undefined ? {} : { budgetBytes: budget * 1e9 }),
  });
  return { backend: webgpu, webgpu, ...(hint === undefined ? {} : { hint }) };
}
