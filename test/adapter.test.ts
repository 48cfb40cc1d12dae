// The lowest step of the WebGPU tier: which adapter runs the kernels here.

import { openDevice } from "@guidance/shaders";
import { afterAll, expect, test } from "vitest";
import { openTier } from "./support/tiers.ts";

const opened = await openTier("webgpu", openDevice, ({ description }) => description);
afterAll(() => opened?.close());

test.skipIf(!opened)("an adapter opens and gives a device that is in order", () => {
  expect(opened!.lostReason).toBeUndefined();
  expect(opened!.takeError()).toBeUndefined();
});
