import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { fetchShards } from "./hub.ts";
import { fetchFile, reasonOf } from "./hub-file.ts";

const root = mkdtempSync(join(tmpdir(), "guidance-hub-"));
const contents: Record<string, Buffer> = Object.fromEntries(
  [
    "data/train-00000-of-00002.parquet",
    "data/train-00001-of-00002.parquet",
    "data/validation-00000-of-00001.parquet",
  ].map((path, index) => [path, Buffer.alloc(200_000 + index, `${path} `)]),
);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** How the server behaves, and what it was asked. */
let server: ReturnType<typeof createServer>;
let hubUrl: string;
let requests: { path: string; range: string | undefined; token: string | undefined }[];
let behaviour: {
  /** Bytes after which a connection breaks off; one for each request in turn. */
  breaks: number[];
  knowsRanges: boolean;
  status: number | undefined;
  damage: boolean;
  list: unknown[] | undefined;
};

beforeEach(() => {
  requests = [];
  behaviour = { breaks: [], knowsRanges: true, status: undefined, damage: false, list: undefined };
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url!, "http://x");
  const { range, authorization } = request.headers;
  requests.push({ path: pathname, range, token: authorization });
  if (behaviour.status) {
    response.writeHead(behaviour.status).end("no");
    return;
  }
  if (pathname.startsWith("/api/")) {
    const files = Object.entries(contents).map(([path, bytes]) => ({
      type: "file",
      path,
      size: bytes.length,
      oid: "0",
      lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 1 },
    }));
    const others = [
      { type: "file", path: "README.md", size: 3 },
      { type: "directory", path: "data", size: 0 },
    ];
    response.setHeader("content-type", "application/json").end(JSON.stringify(behaviour.list ?? [...others, ...files]));
    return;
  }
  let bytes = Buffer.from(contents[pathname.split("/resolve/main/")[1]]);
  if (behaviour.damage) bytes[1000] ^= 1;
  const start = behaviour.knowsRanges && range ? Number(/bytes=(\d+)-/.exec(range)?.[1]) : 0;
  if (start > 0) response.writeHead(206, { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
  bytes = bytes.subarray(start);
  const limit = behaviour.breaks.shift();
  if (limit === undefined) response.end(bytes);
  // what has arrived but was not read yet is lost with the connection: a busy machine gets the time to read it
  else response.write(bytes.subarray(0, limit), () => setTimeout(() => response.destroy(), limit > 0 ? 400 : 1));
}

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(root, { recursive: true });
});

function run(name: string, options: Partial<Parameters<typeof fetchShards>[1]> = {}) {
  return fetchShards("ILSVRC/imagenet-1k", {
    folder: join(root, name),
    hubUrl,
    token: "hf_x",
    retryDelay: 1,
    ...options,
  });
}

function expectWhole(name: string, paths: readonly string[]): void {
  for (const [path, bytes] of Object.entries(contents)) {
    expect(readFileSync(join(root, name, path)).equals(bytes)).toBe(true);
  }
  expect(paths).toEqual(Object.keys(contents).map((path) => join(root, name, path)));
  expect(readdirSync(join(root, name, "data"))).toHaveLength(3);
}

test("shards are fetched with the token, and not again", async () => {
  const reports: number[] = [];
  const progress = ({ bytes, totalBytes }: { bytes: number; totalBytes: number }) => reports.push(bytes / totalBytes);
  expectWhole("plain", await run("plain", { progress }));
  expect(requests.map(({ token }) => token)).toEqual(new Array(4).fill("Bearer hf_x"));
  expect(requests[1].path).toBe("/datasets/ILSVRC/imagenet-1k/resolve/main/data/train-00000-of-00002.parquet");
  expect(reports[reports.length - 1]).toBe(1);
  expect(reports).toEqual([...reports].sort((a, b) => a - b));
  await run("plain");
  expect(requests).toHaveLength(5);
});

test("HF_ENDPOINT names another server", async () => {
  vi.stubEnv("HF_ENDPOINT", `${hubUrl}/`);
  const options = { folder: join(root, "mirror"), token: "hf_x", retryDelay: 1 };
  expectWhole("mirror", await fetchShards("ILSVRC/imagenet-1k", options));
  for (const address of ["nonsense", "http:", "ftp://localhost"]) {
    vi.stubEnv("HF_ENDPOINT", address);
    await expect(fetchShards("ILSVRC/imagenet-1k", options)).rejects.toThrow(
      `HF_ENDPOINT: it is "${address}". Expected`,
    );
  }
  vi.unstubAllEnvs();
});

test("a connection that breaks off is taken up where it ended", async () => {
  behaviour.breaks = [70_000, 50_000];
  expectWhole("broken", await run("broken"));
  const ranges = requests.filter(({ path }) => path.includes("train-00000")).map(({ range }) => range);
  expect(ranges).toHaveLength(3);
  expect(ranges[0]).toBeUndefined();
  const starts = ranges.slice(1).map((range) => Number(range?.slice(6, -1)));
  expect(starts[0]).toBeGreaterThan(0);
  expect(starts[1]).toBeGreaterThan(starts[0]);
});

test("what a run left behind is continued by the next", async () => {
  behaviour.breaks = [90_000, 0, 0, 0, 0, 0];
  await expect(run("later")).rejects.toThrow(
    /file ".*train-00000.*": \d+ of 200000 bytes are there, and 5 attempts brought no more .*it goes on from ".*\.partial"/,
  );
  const before = requests.length;
  behaviour.breaks = [];
  expectWhole("later", await run("later"));
  expect(requests[before + 1].range).toMatch(/^bytes=\d{4,5}-$/);
});

test("a server that knows no ranges sends the whole again", async () => {
  behaviour.breaks = [60_000];
  behaviour.knowsRanges = false;
  expectWhole("whole", await run("whole"));
});

test("content that is not what was announced is removed and refused", async () => {
  behaviour.damage = true;
  await expect(run("damaged")).rejects.toThrow(
    /train-00000-of-00002\.parquet": its SHA-256 is [0-9a-f]{64}\. Expected [0-9a-f]{64}/,
  );
  expect(readdirSync(join(root, "damaged/data"))).toEqual([]);
});

test("access that is not granted says how to get it", async () => {
  behaviour.status = 401;
  await expect(run("denied", { token: undefined })).rejects.toThrow(
    /data set "ILSVRC\/imagenet-1k": the server answers 401.*Accept the terms on https:\/\/huggingface\.co\/datasets\/ILSVRC\/imagenet-1k and set HF_TOKEN/,
  );
  behaviour.status = 404;
  await expect(run("denied")).rejects.toThrow(
    "the server answers 404. Expected a data set that may be read. Check the name",
  );
  expect(existsSync(join(root, "denied"))).toBe(false);
});

test("a server that cannot be reached is told with the reason", async () => {
  await expect(run("unreached", { hubUrl: "http://nowhere.invalid" })).rejects.toThrow(
    /its files cannot be listed \(fetch failed: getaddrinfo E\w+ nowhere\.invalid\)\. Check the connection/,
  );
  // nothing listens on port 1
  const shard = { url: "http://127.0.0.1:1/x.parquet", size: 9 };
  const fetched = fetchFile(shard, join(root, "unreached/x.parquet"), { retryDelay: 1 });
  await expect(fetched).rejects.toThrow(/5 attempts brought no more \(fetch failed: \S/);
  expect(reasonOf(new Error("a", { cause: new AggregateError([new Error("b"), new Error("c")]) }))).toBe("a: b");
});

test("only shards of the wanted splits are fetched, and none out of the folder", async () => {
  await run("validation", { splits: ["validation"] });
  expect(readdirSync(join(root, "validation/data"))).toEqual(["validation-00000-of-00001.parquet"]);
  behaviour.list = [{ type: "file", path: "../../train-0.parquet", size: 5 }];
  await expect(run("outside")).rejects.toThrow("none of its 1 files is a Parquet shard of train or validation");
});

test("it stops when told to", async () => {
  const controller = new AbortController();
  behaviour.breaks = [1000, 1000, 1000];
  const fetched = run("stopped", { signal: controller.signal, progress: () => controller.abort(new Error("stop")) });
  await expect(fetched).rejects.toThrow("stop");
});
