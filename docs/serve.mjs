// Shows the built site on this machine alone: `pnpm docs:serve [port]`.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("site", import.meta.url));
const types = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
};

/** The file of a request, or undefined; a path that leaves the folder has none. */
function fileOf(url) {
  const path = join(root, normalize(new URL(url, "http://localhost").pathname));
  if (!path.startsWith(root)) return undefined;
  const file = path.endsWith("/") || path === root ? join(path, "index.html") : path;
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined;
}

const server = createServer((request, response) => {
  const file = fileOf(request.url ?? "/");
  if (file === undefined) {
    response.writeHead(404).end("not found");
    return;
  }
  response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" });
  createReadStream(file).pipe(response);
});
server.listen(Number(argv[2] ?? 8001), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
