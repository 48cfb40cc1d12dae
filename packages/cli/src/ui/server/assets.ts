/** The files of the page, bundled from their sources when the server starts: nothing is fetched from anywhere. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

const page = (name: string) => fileURLToPath(new URL(`../page/${name}`, import.meta.url));

/** The only paths that are served as files, and what they are. */
export async function bundlePage(): Promise<ReadonlyMap<string, Asset>> {
  const { build } = await import("esbuild"); // it takes long to load
  const { outputFiles } = await build({
    entryPoints: [page("main.ts")],
    bundle: true,
    write: false,
    minify: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    logLevel: "silent",
  });
  const chart = createRequire(import.meta.url).resolve("uplot/dist/uPlot.min.css");
  const [html, icon, ...styles] = await Promise.all(
    [page("index.html"), page("icon.svg"), chart, page("style.css")].map((path) => readFile(path)),
  );
  return new Map([
    ["/", { type: "text/html; charset=utf-8", body: html }],
    ["/icon.svg", { type: "image/svg+xml", body: icon }],
    ["/page.css", { type: "text/css; charset=utf-8", body: Buffer.concat(styles) }],
    ["/page.js", { type: "text/javascript; charset=utf-8", body: Buffer.from(outputFiles[0].contents) }],
  ]);
}
