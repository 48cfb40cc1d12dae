// From an adapter to a device. Without being asked, WebGPU opens a device with the specification's smallest limits
// (128 MiB bindings, 8 storage buffers) and no features; the adapter's own are requested instead.

import { type AdapterFacts, OpenedDevice } from "./device.ts";

/** Features that kernels make use of where they exist. */
const wantedFeatures: readonly GPUFeatureName[] = ["subgroups", "timestamp-query", "shader-f16"];

/** Every limit of an adapter; the names are getters on its prototype, so they are not own keys. */
function limitsOf(adapter: GPUAdapter): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") limits[name] = value;
  }
  return limits;
}

/**
 * Opens a device with all the limits and the wanted features of its adapter. An adapter gives one device only.
 *
 * @throws Error when the adapter refuses
 */
export async function requestDevice(adapter: GPUAdapter, facts: AdapterFacts): Promise<OpenedDevice> {
  try {
    const device = await adapter.requestDevice({
      label: `guidance ${facts.kind}`,
      requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
      requiredLimits: limitsOf(adapter),
    });
    return new OpenedDevice(device, facts);
  } catch (error) {
    const name = facts.info.description || facts.info.vendor;
    throw new Error(
      `Cannot open the ${facts.kind} adapter "${name}": ${(error as Error).message} ` +
        "Try another device (swiftshader or cpu), or update the graphics driver.",
      { cause: error },
    );
  }
}
