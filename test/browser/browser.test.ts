// The same kernels run unchanged in a browser. Needs a Chromium on the machine; without one this tier is missing, which
// the end of the run says, and GUIDANCE_REQUIRE_BROWSER=1 makes it a failure.

import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { openTier } from "../support/tiers.ts";
import { openBrowser } from "./chromium.ts";
import { count, type Report } from "./program.ts";

const browser = await openTier("browser", openBrowser, ({ version }) => version);
afterAll(() => browser?.close());

test.skipIf(!browser)("a shader runs in a page through navigator.gpu", async () => {
  const { adapter, doubled, error } = await browser!.run<Report>(fileURLToPath(new URL("program.ts", import.meta.url)));
  expect(error).toBeUndefined();
  expect(adapter).toMatch(/^browser: \S+/);
  expect(doubled).toEqual(Array.from({ length: count }, (_, index) => 2 * index));
});
