// The same kernels run unchanged in a browser. Needs a Chromium on the machine; without one this tier is missing, which
// the end of the run says, and GUIDANCE_REQUIRE_BROWSER=1 makes it a failure.

import { fileURLToPath } from "node:url";
import { cpuBackend } from "@guidance/tensor";
import { afterAll, expect, test } from "vitest";
import { trainSmallNetwork } from "../support/small-network.ts";
import { openTier } from "../support/tiers.ts";
import { openBrowser } from "./chromium.ts";
import { type Report, steps } from "./program.ts";

const browser = await openTier("browser", openBrowser, ({ version }) => version);
afterAll(() => browser?.close());

test.skipIf(!browser)("a network trains in a page through navigator.gpu, to the losses of the CPU", async () => {
  const { adapter, losses } = await browser!.run<Report>(fileURLToPath(new URL("program.ts", import.meta.url)));
  expect(adapter).toMatch(/^browser: \S+/);
  const reference = await trainSmallNetwork(cpuBackend(), steps);
  expect(reference.at(-1)).toBeLessThan(reference[0]!);
  losses.forEach((loss, index) => {
    expect(loss).toBeCloseTo(reference[index]!, 3);
  });
  expect(losses).toHaveLength(steps);
});
