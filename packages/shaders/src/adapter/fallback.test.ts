// A machine without any Vulkan driver. Test files run in processes of their own, so hiding the drivers here, before
// Dawn first looks for them, hides them from no other test.

import { describe, expect, test } from "vitest";
import { openDevice } from "./open.ts";

process.env.VK_DRIVER_FILES = "/no/such/driver.json";

describe.runIf(process.platform === "linux")("without a Vulkan driver", () => {
  test("a GPU or lavapipe, asked for by name, is refused with what to install", async () => {
    await expect(openDevice({ device: "gpu" })).rejects.toThrow(/No WebGPU adapter for device "gpu".*Install/s);
    await expect(openDevice({ device: "lavapipe" })).rejects.toThrow(/device "lavapipe".*mesa-vulkan-drivers/s);
  });
});
