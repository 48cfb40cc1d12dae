// The dashboard in a real browser: curves appear and move, a server that comes back is found again, what runs are called
// is only text, it fits a phone, and training does not care what becomes of it. Screenshots are kept in test/artifacts.

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serveUi } from "@guidance/cli";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, test } from "vitest";
import { launchChromium } from "../browser/chromium.ts";
import { scratch, start, tiny } from "../cli/command.ts";
import { openTier } from "../support/tiers.ts";
import { RunFiles } from "./run-files.ts";

const browser = await openTier("browser", launchChromium, (found) => `Chromium ${found.version()}`);
afterAll(() => browser?.close());

const fresh = scratch();
const artifacts = fileURLToPath(new URL("../artifacts/", import.meta.url));
mkdirSync(artifacts, { recursive: true });

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

/** A page that fails the test where it reports an error, or asks anything of elsewhere. */
async function open(url: string, settings: { colorScheme?: "light" | "dark" } = {}) {
  const context = await browser!.newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...settings });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => {
    // a server that is gone is what some tests are about
    if (message.type() === "error" && !message.text().includes("ERR_")) faults.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).host !== new URL(url).host) faults.push(`asked ${request.url()}`);
  });
  await page.goto(url);
  return { page, faults, close: () => context.close() };
}

const chart = (page: Page, title: string) => page.locator("article", { hasText: title }).first();
/** Values that the legend of a chart tells. */
const values = (page: Page, title: string) => chart(page, title).locator("b").allTextContents();
/** Pixels of a canvas that are drawn on. */
const drawn = (page: Page, title: string): Promise<number> =>
  chart(page, title)
    .locator("canvas")
    .first()
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, i) => i % 4 === 3 && value > 0).length;
    });
/** A canvas as it is, axes included. */
const picture = (page: Page, title: string): Promise<string> =>
  chart(page, title)
    .locator("canvas")
    .first()
    .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
const shoot = (page: Page, name: string, fullPage = true) =>
  page.screenshot({ path: join(artifacts, `${name}.png`), fullPage });
const overflow = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
const until = (condition: () => Promise<boolean>) =>
  expect.poll(condition, { timeout: 20_000, interval: 100 }).toBe(true);

describe.skipIf(!browser)("a training with --ui", () => {
  // some seconds, most of them without the page
  const settings = "--synthetic-train 4800 --steps 1500 --no-baseline --inspect-every 20 --validate-every 300";
  const options = [...tiny, ...settings.split(" ")];

  test("is seen while it goes on, and ends well when its page and its server are killed", async () => {
    const training = start(["train", ...options, "--ui", "--port", "0", "--folder", "run"], fresh());
    const url = await training.found(/^dashboard (http\S+)$/m);
    const { page, faults, close } = await open(url);
    await until(async () => (await values(page, "Cross-entropy")).some((value) => value !== "–"));
    expect(await drawn(page, "Cross-entropy")).toBeGreaterThan(500);
    const step = () => page.locator("#cards progress").first().getAttribute("value");
    const [before, curve] = [await step(), await picture(page, "Cross-entropy")];
    await until(async () => (await step()) !== before && (await picture(page, "Cross-entropy")) !== curve);
    await shoot(page, "live");
    expect(faults).toEqual([]);
    await close();
    const children = execFileSync("ps", ["-o", "pid=", "--ppid", String(training.pid)], { encoding: "utf8" });
    for (const pid of children.trim().split(/\s+/)) process.kill(Number(pid), "SIGKILL");
    const { status, output } = await training.ended;
    expect(status, output).toBe(0);
    expect(output).toContain("the dashboard again: guidance ui run");
  });

  test("goes on without, and says so in one line, where the port is taken", async () => {
    const folder = fresh();
    const other = await serveUi(folder, { host: "127.0.0.1", port: 0 });
    const { port } = new URL(other.url);
    const training = start(["train", ...options, "--steps", "600", "--ui", "--port", port, "--folder", "run"], folder);
    const { status, output } = await training.ended;
    await other.close();
    expect(status, output).toBe(0);
    expect(output.match(/^no dashboard.*$/gm)).toEqual([
      `no dashboard, training goes on: ui: port ${port} of 127.0.0.1 is in use. Expected a port that is free. Choose another with --port; 0 takes any that is free.`,
    ]);
  });
});

describe.skipIf(!browser)("runs of a folder", () => {
  test("are compared, on a desk and a phone, by day and by night", async () => {
    const root = fresh();
    const hostile = "<img src=x onerror=alert(1)>";
    new RunFiles(root, "20260131-120000-mnist", { alpha: 3 }).write(1, 300).finish();
    new RunFiles(root, "20260131-130000-mnist", { alpha: 1 }).write(1, 200);
    new RunFiles(root, hostile, { alpha: 1 }).write(1, 20);
    const ui = await serveUi(root, { host: "127.0.0.1", port: 0 });
    const { page, faults, close } = await open(`${ui.url}#20260131-120000-mnist`, { colorScheme: "light" });
    await until(async () => (await values(page, "Cross-entropy")).length === 2);
    await shoot(page, "light");
    expect(await page.getByText(hostile).count()).toBe(1);
    expect(await page.locator("img").count()).toBe(0);

    await page.getByRole("searchbox").fill("1300");
    expect(await page.locator("#runs li:visible").count()).toBe(1);
    await page.getByRole("checkbox", { name: /130000/ }).check();
    await until(async () => (await values(page, "Cross-entropy")).length === 4);
    expect(await page.locator("#differences").textContent()).toContain("alpha31");
    await page.emulateMedia({ colorScheme: "dark" });
    await shoot(page, "dark");
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe("rgb(15, 19, 24)");
    // to the theme and back by keyboard alone
    await page.getByRole("button", { name: "Theme" }).focus();
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("light");
    // the places of a map and the points of a curve as well
    await page.locator(".map canvas").first().focus();
    await page.keyboard.press("ArrowLeft");
    expect(await page.locator(".readout").first().textContent()).toMatch(/^1: layer 1, step \d+: 0\.\d+$/);

    await page.setViewportSize(PHONE);
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.evaluate(() => new Promise(requestAnimationFrame));
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    await shoot(page, "phone");
    expect(faults).toEqual([]);
    await close();
    await ui.close();
  });

  test("are found again when the server is, with what was missed", async () => {
    const root = fresh();
    const run = new RunFiles(root, "run", {}).write(1, 10);
    const ui = await serveUi(root, { host: "127.0.0.1", port: 0 });
    const { page, faults, close } = await open(ui.url);
    const step = () => page.locator("#cards progress").first().getAttribute("value");
    await until(async () => (await step()) === "10");
    const before = await drawn(page, "Cross-entropy");
    await ui.close();
    await until(async () => ((await page.locator("#connection").textContent()) ?? "").includes("ended"));
    run.write(11, 60);
    // a line that is being written
    run.tear();
    expect(await step()).toBe("10");
    const again = await serveUi(root, { host: "127.0.0.1", port: Number(new URL(ui.url).port) });
    await until(async () => (await step()) === "60");
    expect(await page.locator("#connection").textContent()).toBe("live");
    expect(await drawn(page, "Cross-entropy")).not.toBe(before);
    expect(await page.locator(".problem").count()).toBe(0);
    expect(faults).toEqual([]);
    await close();
    await again.close();
  });

  test("are selected by clicks that come faster than it draws", async () => {
    const root = fresh();
    for (const name of ["one", "two", "three"]) new RunFiles(root, name, {}).write(1, 5);
    const ui = await serveUi(root, { host: "127.0.0.1", port: 0 });
    const { page, faults, close } = await open(`${ui.url}#one`);
    await until(async () => (await page.locator("#cards article").count()) === 1);
    await page.evaluate(() => {
      for (const box of document.querySelectorAll<HTMLInputElement>("#runs input")) if (!box.checked) box.click();
    });
    await until(async () => (await page.locator("#cards article").count()) === 3);
    expect(await page.locator("#runs input:checked").count()).toBe(3);
    expect(faults).toEqual([]);
    await close();
    await ui.close();
  });

  test("say what they wait for", async () => {
    const root = fresh();
    new RunFiles(root, "run", {});
    const ui = await serveUi(root, { host: "127.0.0.1", port: 0 });
    const { page, faults, close } = await open(ui.url);
    await chart(page, "Cross-entropy").getByText("It comes with the first step", { exact: true }).waitFor();
    await chart(page, "Validation accuracy").getByText("It comes with the first validation of a student").waitFor();
    await chart(page, "mean over paired layers").getByText("It comes with the first step under guidance").waitFor();
    expect(await page.locator("#charts .plot:visible").count()).toBe(0);
    await shoot(page, "waiting");
    expect(faults).toEqual([]);
    await close();
    await ui.close();
  });

  test("may be none", async () => {
    const ui = await serveUi(fresh(), { host: "127.0.0.1", port: 0 });
    const { page, close } = await open(ui.url);
    await page.getByText("No runs here yet. Begin one: guidance train --ui").waitFor();
    await close();
    await ui.close();
  });
});
