// The browser example as a user sees it: built and served by its own command, trained in a real Chromium. Small networks,
// since the kernels are compiled anew in every browser.

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBrowser } from "../browser/chromium.ts";
import { type Running, root, startProgram } from "../support/command.ts";
import { openTier } from "../support/tiers.ts";

const browser = await openTier("browser", openBrowser, ({ version }) => version);

/** The example's server, on a free port. */
let server: Running | undefined;
let address = "";

describe.skipIf(!browser)("the page", () => {
  beforeAll(async () => {
    const options = { cwd: join(root, "examples") };
    server = startProgram(process.execPath, ["--import", "tsx", "browser/serve.ts", "0"], options);
    address = await server.found(/(http:\/\/127\.0\.0\.1:\d+\/)/);
  });
  afterAll(async () => {
    server?.kill("SIGTERM");
    await browser?.close();
  });

  test("trains both students with curves that move, and stops", async () => {
    const page = await browser!.newPage();
    const errors: string[] = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    await page.goto(`${address}?layers=4&width=64&guideWidth=4&guideSteps=10&steps=40&batch=64`);
    expect(await page.title()).toBe("guidance in the browser");
    const text = (selector: string) => page.locator(selector).textContent();
    expect(await text("#status")).toBe("ready");

    await page.click("button");
    expect(await text("button")).toBe("Stop");
    // how long each curve is whenever the page has time to draw
    await page.evaluate(() => {
      const drawn = { guided: new Set<number>(), unguided: new Set<number>() };
      const look = () => {
        for (const [network, lengths] of Object.entries(drawn)) {
          lengths.add(document.querySelector(`polyline.${network}`)?.getAttribute("points")?.length ?? 0);
        }
        requestAnimationFrame(look);
      };
      look();
      Object.assign(window, { drawn });
    });
    await page.locator("#status", { hasText: /^(done|error)/ }).waitFor({ timeout: 100_000 });
    expect(await text("#status")).toMatch(/^done, on webgpu browser: /);
    expect(errors).toEqual([]);
    expect(await text("button")).toBe("Start");

    for (const network of ["guided", "unguided"]) {
      const lengths = await page.evaluate(`window.drawn.${network}.size`);
      expect(lengths, `lengths of the curve ${network}`).toBeGreaterThan(5);
      const points = (await page.locator(`polyline.${network}`).getAttribute("points"))?.trim().split(" ") ?? [];
      expect(points).toHaveLength(40);
      // y grows downwards, and the loss falls
      const heights = points.map((point) => Number(point.split(",")[1]));
      const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(mean(heights.slice(-5))).toBeGreaterThan(mean(heights.slice(0, 5)) + 20);
      expect(await text(`#${network}-step`)).toBe("40");
      expect(Number.parseFloat((await text(`#${network}-accuracy`)) ?? "")).toBeGreaterThan(40);
    }
    expect(await text("#guide-step")).toBe("10");

    await page.click("button");
    expect(await text("#guide-step")).toBe("–");
    await page.click("button");
    expect(await text("#status")).toBe("stopped");
    await page.close();
  });

  test("says so where there is no navigator.gpu, in the dark too", async () => {
    const page = await browser!.newPage();
    await page.emulateMedia({ colorScheme: "dark" });
    await page.addInitScript('Object.defineProperty(navigator, "gpu", { value: undefined })');
    await page.goto(address);
    expect(await page.locator("#status").textContent()).toMatch(/^error: this page has no navigator\.gpu\./);
    expect(await page.locator("button").isDisabled()).toBe(true);
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(23, 23, 26)");
    await page.close();
  });
});
