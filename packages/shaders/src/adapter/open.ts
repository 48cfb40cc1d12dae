// Opening a device on whatever machine this is. In order: a GPU; the system's software Vulkan (Mesa's lavapipe);
// SwiftShader from an optional npm package, which needs nothing installed. In a browser, the adapter the browser gives.

import { type FoundAdapter, findLavapipe, findSwiftshader, findSystemAdapter } from "./dawn.ts";
import type { OpenedDevice } from "./device.ts";
import { browserGpu, inNode } from "./environment.ts";
import { lavapipeInstall } from "./hints.ts";
import { requestDevice } from "./request.ts";
import { swiftshaderObstacle } from "./swiftshader.ts";

/** Which device to open: `auto` takes the fastest there is, the others insist. */
export const deviceChoices = ["auto", "gpu", "lavapipe", "swiftshader"] as const;
/** One of {@link deviceChoices}. */
export type DeviceChoice = (typeof deviceChoices)[number];

/** Which device is opened. */
export interface OpenDeviceOptions {
  /** Default: the environment variable GUIDANCE_DEVICE, else `auto`. A browser has only `auto`. */
  readonly device?: DeviceChoice;
}

/**
 * Opens a WebGPU device with its adapter's real limits, and subgroups where it has them.
 *
 * @throws Error when the machine has no adapter of the wanted kind; the message says what to install
 */
export async function openDevice(options: OpenDeviceOptions = {}): Promise<OpenedDevice> {
  if (!inNode()) return openInBrowser();
  const choice = options.device ?? choiceOfEnvironment();
  const { adapter, facts } = (await find(choice)) ?? fail(choice);
  return requestDevice(adapter, facts);
}

function choiceOfEnvironment(): DeviceChoice {
  const value = process.env.GUIDANCE_DEVICE || "auto";
  const choice = deviceChoices.find((known) => known === value);
  if (choice) return choice;
  throw new Error(
    `GUIDANCE_DEVICE is "${value}", which is no WebGPU device. Expected one of: ${deviceChoices.join(", ")}.`,
  );
}

async function find(choice: DeviceChoice): Promise<FoundAdapter | undefined> {
  if (choice === "swiftshader") return findSwiftshader();
  if (choice === "lavapipe") return findLavapipe();
  const system = await findSystemAdapter();
  if (choice === "gpu") return system?.facts.kind === "hardware" ? system : undefined;
  return system ?? findSwiftshader();
}

function fail(choice: DeviceChoice): never {
  const obstacle = swiftshaderObstacle() ?? "the driver did not start";
  const advice = {
    auto: `No Vulkan, Metal or D3D12 driver answered, and SwiftShader cannot stand in: ${obstacle}. Install a driver: ${lavapipeInstall}`,
    gpu: "Only software drivers, or none, answered. Install the GPU's Vulkan driver, or use device auto",
    lavapipe: `Mesa's software Vulkan driver did not answer (25 or later is needed). Install it: ${lavapipeInstall}`,
    swiftshader: `SwiftShader cannot be used: ${obstacle}. Use device auto`,
  }[choice];
  throw new Error(`No WebGPU adapter for device "${choice}". ${advice}.`);
}

async function openInBrowser(): Promise<OpenedDevice> {
  const adapter = await browserGpu()?.requestAdapter({ powerPreference: "high-performance" });
  if (adapter) return requestDevice(adapter, { kind: "browser", info: adapter.info });
  throw new Error(
    browserGpu()
      ? "This browser offers WebGPU but gave no adapter. Enable hardware acceleration, or start Chromium with --enable-unsafe-webgpu."
      : "This page has no navigator.gpu. WebGPU needs a browser that supports it and a secure context (https or localhost).",
  );
}
