// Bundles the page and its worker, and serves them with MNIST on 127.0.0.1. WebGPU needs a secure context, which that is.
//
//   tsx serve.ts [port]     8000 unless given; 0 takes any that is free

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { loadMnist } from "@guidance/guidance";
import { build, type Plugin } from "esbuild";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/**
 * `@guidance/guidance` also reads files and decodes photographs, with packages of Node. Nothing that the page imports
 * reaches them, so they fall away; what would stay is an error below.
 */
const withoutNode: Plugin = {
  name: "without-node",
  setup({ onResolve }) {
    onResolve({ filter: /^[^.]/ }, ({ path, kind }) =>
      kind === "entry-point" || path.startsWith("@guidance/")
        ? undefined
        : { path, external: true, sideEffects: false },
    );
  },
};

async function bundle(): Promise<Map<string, string | Uint8Array>> {
  const { outputFiles, metafile } = await build({
    entryPoints: [here("page.ts"), here("training.ts")],
    bundle: true,
    write: false,
    outdir: "/",
    platform: "browser",
    format: "esm",
    target: "es2022",
    metafile: true,
    plugins: [withoutNode],
  });
  const left = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  if (left.length > 0) throw new Error(`no browser has ${left.join(", ")}, which the page imports`);
  return new Map(outputFiles.map(({ path, contents }) => [path.replaceAll("\\", "/").replace(/^\w:/, ""), contents]));
}

const files = await bundle();
files.set("/", await readFile(here("index.html"), "utf8"));
const { train, test } = await loadMnist();
for (const [split, { images, labels }] of Object.entries({ train, test })) {
  files.set(`/mnist/${split}-images`, images);
  files.set(`/mnist/${split}-labels`, labels);
}

const typeOf = (path: string) =>
  path === "/" ? "text/html" : path.endsWith(".js") ? "text/javascript" : "application/octet-stream";

const server = createServer(({ url = "/" }, response) => {
  const path = url.replace(/\?.*/, "");
  const content = files.get(path);
  response.writeHead(content ? 200 : 404, { "content-type": typeOf(path), "cache-control": "no-store" }).end(content);
});
server.listen(Number(argv[2] ?? 8000), "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(`open http://127.0.0.1:${port}/ in a browser with WebGPU; Ctrl-C ends`);
});
