// What to install for more speed, said only where it applies: software drivers are many times slower than a GPU, and
// one of the two is several times slower than the other.

import type { DeviceKind } from "./device.ts";

/** How to get Mesa's software Vulkan driver. Dawn refuses Mesa 22, which is what Debian 12 itself has. */
export const lavapipeInstall =
  "apt install mesa-vulkan-drivers libvulkan1 (Debian 12: from bookworm-backports), dnf install mesa-vulkan-drivers " +
  "vulkan-loader, or your system's like";

/**
 * One line on how to get a faster device than this one.
 *
 * @returns undefined where nothing better is known of
 */
export function hintFor(kind: DeviceKind): string | undefined {
  if (kind !== "lavapipe" && kind !== "swiftshader") return undefined;
  const gpu = gpuWithoutDriver();
  if (gpu) return gpu;
  if (kind === "swiftshader")
    return `Mesa's software Vulkan driver (25 or later) is several times faster: ${lavapipeInstall}`;
  return undefined;
}

/** A GPU that the system shows but Vulkan does not, and what usually is the reason. */
function gpuWithoutDriver(): string | undefined {
  const { existsSync } = process.getBuiltinModule("node:fs");
  if (existsSync("/dev/nvidiactl")) {
    return (
      "An NVIDIA GPU is present but its Vulkan driver is not: install the driver's Vulkan part and libvulkan1; " +
      "in a container also set NVIDIA_DRIVER_CAPABILITIES to include graphics"
    );
  }
  if (existsSync("/dev/dri/renderD128")) {
    return `A GPU is present (/dev/dri/renderD128) but Vulkan does not see it: ${lavapipeInstall}, and check that you may read it`;
  }
  return undefined;
}
