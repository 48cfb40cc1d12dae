// Runs a program in headless Chromium, with the sources bundled for browsers. The bundle is the first proof: it fails
// when a Node module can be reached from what the page imports. WebGPU needs a secure context, and http://127.0.0.1
// counts as one, so a tiny server hands out an empty page.

import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";
import { chromium, type Browser as Driver, type Page } from "playwright-core";

/** Where systems put Chromium or Chrome; GUIDANCE_CHROMIUM names another place. */
const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const flags = [
  "--enable-unsafe-webgpu", // without it headless Chromium has no adapter
  "--no-sandbox", // as root, as in containers, Chromium does not start with it
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
];

/** A running browser. */
export interface Browser {
  readonly version: string;
  /**
   * Bundles a module and calls its default export in a new page.
   *
   * @param entry absolute path of a module whose default export is an async function without parameters
   * @returns what the function resolves with, as JSON carries it
   * @throws Error when bundling fails or the function rejects
   */
  run<T>(entry: string): Promise<T>;
  /** A new page of the browser's, which the caller closes. */
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

/**
 * Starts headless Chromium for tests that drive pages themselves.
 *
 * @throws Error when none is installed
 */
export async function launchChromium(): Promise<Driver> {
  const executablePath = [process.env.GUIDANCE_CHROMIUM ?? "", ...places].find((place) => place && existsSync(place));
  if (!executablePath) {
    throw new Error(
      `No Chromium found at GUIDANCE_CHROMIUM or ${places.join(", ")}. On Debian and Ubuntu: apt install chromium.`,
    );
  }
  return chromium.launch({ executablePath, args: flags, headless: true });
}

/**
 * Starts headless Chromium for programs.
 *
 * @throws Error when none is installed
 */
export async function openBrowser(): Promise<Browser> {
  const browser = await launchChromium();
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>guidance</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  return {
    version: `Chromium ${browser.version()}`,
    async run<T>(entry: string): Promise<T> {
      const page = await browser.newPage();
      try {
        await page.goto(`http://127.0.0.1:${port}/`);
        await page.addScriptTag({ content: await bundle(entry) });
        return (await page.evaluate("program.default()")) as T;
      } finally {
        await page.close();
      }
    },
    newPage: () => browser.newPage(),
    async close() {
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One script that leaves the module's exports in the global `program`. */
async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "browser",
    format: "iife",
    globalName: "program",
    target: "es2022",
    // A script has no module address; only the Node side of the sources reads it, never the page.
    define: { "import.meta.url": '"about:blank"' },
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}
