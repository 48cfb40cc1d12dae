/** What kernel generators may know about an open device. */
import type { OpenedDevice } from "./adapter/device.ts";
import type { DeviceTraits } from "./kernels/dispatch.ts";

export interface TraitOptions {
  /** Largest window of a storage buffer one binding covers, in bytes; default the device's own limit. */
  readonly maxBindingBytes?: number;
  /** Forces a kernel family where it can do the job: `subgroup`, `tiled` or `direct`. */
  readonly family?: string;
  /** Chooses kernels as for a CPU device, or as for a GPU, whatever the device is; for tests. */
  readonly software?: boolean;
  /** What tuning found best on this device, by kernel key. */
  readonly choices?: ReadonlyMap<string, string>;
}

/** Browsers give software adapters no kind of their own; their names tell. */
const SOFTWARE_NAMES = /swiftshader|llvmpipe|lavapipe|software/i;

/** Whether kernels run on the CPU. */
export function isSoftware({ kind, info }: Pick<OpenedDevice, "kind" | "info">): boolean {
  if (kind !== "browser") return kind !== "hardware";
  return SOFTWARE_NAMES.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`);
}

export function traitsOf(
  opened: OpenedDevice,
  { maxBindingBytes, family, software, choices }: TraitOptions = {},
): DeviceTraits {
  const { limits } = opened;
  return {
    subgroupSize: opened.subgroupSize ?? 0,
    software: software ?? isSoftware(opened),
    maxBindingBytes: Math.min(maxBindingBytes ?? Infinity, limits.maxStorageBufferBindingSize),
    offsetAlignment: limits.minStorageBufferOffsetAlignment,
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    ...(family === undefined ? {} : { family }),
    ...(choices === undefined ? {} : { choices }),
  };
}
