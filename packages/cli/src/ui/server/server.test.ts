// The server as a client meets it: what it answers and what it refuses, and a stream that misses nothing.
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Update } from "../protocol.ts";
import { hostsOf, refusalOf } from "./guard.ts";
import { serveUi, type Ui } from "./server.ts";

const scratch = mkdtempSync(join(tmpdir(), "guidance-ui-"));
const root = join(scratch, "runs");
const SECRET = "what nobody may read";

function makeRun(folder: string, lines: readonly string[]): void {
  mkdirSync(join(folder, "guided"), { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify({ dataset: "mnist", batchSize: 32 }));
  writeFileSync(join(folder, "environment.json"), JSON.stringify({ starts: [{ adapter: "a device" }] }));
  writeFileSync(join(folder, "guided", "metrics.jsonl"), lines.join(""));
}
const step = (at: number) =>
  `${JSON.stringify({ kind: "step", step: at, totalSteps: 9, epoch: 0, learningRate: 0.1, seconds: 1, dataSeconds: 0, loss: at, crossEntropy: at })}\n`;

let ui: Ui;
beforeAll(async () => {
  makeRun(join(root, "one"), [step(1), step(2)]);
  makeRun(join(scratch, "outside"), [step(1)]);
  writeFileSync(join(scratch, "secret.txt"), SECRET);
  // links that lead out: of a run, and of a file of one
  symlinkSync(join(scratch, "outside"), join(root, "linked"));
  makeRun(join(root, "two"), []);
  rmSync(join(root, "two", "guided", "metrics.jsonl"));
  symlinkSync(join(scratch, "outside/guided/metrics.jsonl"), join(root, "two", "guided", "metrics.jsonl"));
  ui = await serveUi(root, { host: "127.0.0.1", port: 0 });
});
afterAll(async () => {
  await ui.close();
  rmSync(scratch, { recursive: true });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Sends `path` as it stands, which fetch would tidy up. */
function ask(path: string, { method = "GET", host }: { method?: string; host?: string } = {}): Promise<Answer> {
  const { port } = new URL(ui.url);
  const headers = host === undefined ? {} : { host };
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** A request for `host` that came to an address of the network. */
const asking = (host: string) =>
  ({
    headers: { host },
    rawHeaders: ["Host", host],
    socket: { localAddress: "::ffff:10.0.0.5" },
  }) as unknown as IncomingMessage;

interface Message {
  readonly id: string;
  readonly update: Update;
}

/** Messages of a stream; `next` waits for one. */
function listen(query: string, lastEventId?: string) {
  const queue: Message[] = [];
  let hear: (() => void) | undefined;
  let text = "";
  const sent = get(
    `${ui.url}events?${query}`,
    { headers: lastEventId ? { "last-event-id": lastEventId } : {} },
    (response) => {
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        const parts = text.split("\n\n");
        text = parts.pop()!;
        for (const part of parts) {
          const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(part) ?? [];
          if (data) queue.push({ id, update: JSON.parse(data) });
        }
        hear?.();
      });
    },
  );
  const next = async (): Promise<Message> => {
    while (queue.length === 0) {
      await new Promise<void>((resolve) => {
        hear = resolve;
      });
    }
    return queue.shift()!;
  };
  return { next, close: () => sent.destroy() };
}

describe("answers", () => {
  test.each([
    ["/", "text/html", "<title>guidance</title>"],
    ["/page.js", "text/javascript", "EventSource"],
    ["/page.css", "text/css", ".uplot"],
    ["/icon.svg", "image/svg+xml", "<svg"],
  ])("GET %s, and nothing of it is from elsewhere", async (path, type, part) => {
    const { status, headers, body } = await ask(path);
    expect(status).toBe(200);
    expect(headers["content-type"]).toContain(type);
    expect(body).toContain(part);
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(headers["access-control-allow-origin"]).toBeUndefined();
    expect(body.match(/(?:src|href|import|url\()\s*[=(]?\s*["']?https?:/g)).toBeNull();
  });

  test.each(["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])("%s is refused", async (method) => {
    const { status, headers } = await ask("/", { method });
    expect([status, headers.allow]).toEqual([405, "GET"]);
  });

  test.each([
    "/../secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e/secret.txt",
    "/%252e%252e%252fsecret.txt",
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "//secret.txt",
    "/page.js/../../secret.txt",
    "/runs/one/config.json",
    "/one/guided/metrics.jsonl",
    "/%00",
    "http://127.0.0.1/secret.txt",
  ])("there is nothing at %s", async (path) => {
    const { status, body } = await ask(path);
    expect([status, body]).toEqual([404, "there is nothing here\n"]);
  });

  test.each([
    "evil.example",
    "evil.example:4747",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.1.2.3",
    "user@localhost",
    "[::2]",
  ])("a request for the host %j is refused", async (host) => {
    for (const path of ["/", "/events?run=one"]) expect((await ask(path, { host })).status).toBe(403);
  });

  test.each(["localhost", "localhost:8080", "127.0.0.1:4747", "[::1]:4747", "LocalHost"])(
    "one for %s is answered",
    async (host) => {
      expect((await ask("/", { host })).status).toBe(200);
    },
  );

  test("on all interfaces, the address that a request came to is a name as well", () => {
    const of = (host: string, listening: string) => refusalOf(asking(host), listening) === undefined;
    expect(of("10.0.0.5:4747", "0.0.0.0")).toBe(true);
    expect(of("10.0.0.5:4747", "127.0.0.1")).toBe(false);
    expect(of("10.0.0.6:4747", "0.0.0.0")).toBe(false);
    expect(of("gpu-box:4747", "gpu-box")).toBe(true);
    const own = hostname();
    for (const name of [own, `${own.split(".")[0]}.local:4747`]) {
      expect(of(name, "0.0.0.0")).toBe(true);
      expect(of(name, "127.0.0.1")).toBe(false);
    }
    expect(of("evil.example", "::")).toBe(false);
  });
});

test("who asks by another name is told what to ask for, and no name of the machine", async () => {
  const text = "the Host header is no name of this server: ask for localhost, or the address it printed";
  expect((await ask("/", { host: "evil.example" })).body).toBe(`${text}\n`);
  expect(refusalOf(asking("evil.example"), "0.0.0.0")?.text).toBe(text);
});

test("a request with two Host headers is refused", async () => {
  const { hostname: host, port } = new URL(ui.url);
  const socket = connect(Number(port), host);
  socket.end("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n");
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  expect(answer).toMatch(/^HTTP\/1\.1 400 .*there is more than one Host header\n/s);
});

test("on all interfaces it is opened at an address that the network has, or else here", async () => {
  expect(hostsOf("127.0.0.1")).toEqual(["127.0.0.1"]);
  expect(hostsOf("0.0.0.0").at(-1)).toBe("127.0.0.1");
  expect(hostsOf("0.0.0.0")).not.toContain("0.0.0.0");
  const own = await serveUi(root, { host: "0.0.0.0", port: 0 });
  for (const url of [own.url, ...own.others]) expect((await fetch(url)).status).toBe(200);
  await own.close();
});

describe("the stream", () => {
  test("tells a run, then what is new, and a page that comes back what it missed", async () => {
    const stream = listen("run=one");
    const first = await stream.next();
    expect(first.update.runs?.map(({ id }) => id)).toEqual(["two", "one"]);
    expect(first.update.details?.[0]).toMatchObject({
      id: "one",
      dataset: "mnist",
      adapter: "a device",
      state: "running",
    });
    expect(first.update.arms?.[0]).toMatchObject({
      run: "one",
      arm: "guided",
      series: { steps: { from: 0, steps: [1, 2] } },
    });
    const path = join(root, "one", "guided", "metrics.jsonl");
    appendFileSync(path, step(3));
    const second = await stream.next();
    expect(second.update.arms?.[0].series.steps).toMatchObject({ from: 2, steps: [3] });
    expect(second.update.runs).toBeUndefined();
    stream.close();
    appendFileSync(path, step(4));
    const back = listen("run=one", second.id);
    expect((await back.next()).update.arms?.[0].series.steps).toMatchObject({ from: 3, steps: [4] });
    back.close();
    // what another server told means nothing here
    const other = listen("run=one", "another/7");
    expect((await other.next()).update.arms?.[0].series.steps).toMatchObject({ from: 0, steps: [1, 2, 3, 4] });
    other.close();
  });

  test.each(["linked", "../outside", "..%2Foutside", "%2e%2e%2foutside", "", "/", "one/../../outside", "two"])(
    "tells nothing of %j, which lies outside or is none",
    async (run) => {
      const stream = listen(`run=${run}`);
      const { update } = await stream.next();
      stream.close();
      expect(update.arms).toBeUndefined();
      expect(update.runs?.map(({ id }) => id)).toEqual(["two", "one"]);
    },
  );
});

test("so many pages are told at a time, and another once one is gone", async () => {
  // a server of its own, which no other test's pages are open on
  const own = await serveUi(root, { host: "127.0.0.1", port: 0 });
  const open = () =>
    new Promise<{ status: number | undefined; close: () => void }>((resolve, reject) => {
      const sent = get(`${own.url}events`, (response) =>
        resolve({ status: response.statusCode, close: () => sent.destroy() }),
      );
      sent.on("error", reject);
    });
  const pages = await Promise.all(Array.from({ length: 65 }, open));
  const refused = pages.filter(({ status }) => status === 503);
  expect(refused).toHaveLength(1);
  const [told, ...others] = pages.filter(({ status }) => status === 200);
  told.close();
  await expect.poll(async () => (await open()).status).toBe(200);
  for (const { close } of [...others, ...refused]) close();
  await own.close();
});

describe("one clear line", () => {
  test("for a port that is in use; the usual one is then any other", async () => {
    const port = Number(new URL(ui.url).port);
    await expect(serveUi(root, { host: "127.0.0.1", port })).rejects.toThrow(
      `ui: port ${port} of 127.0.0.1 is in use. Expected a port that is free. Choose another with --port; 0 takes any that is free.`,
    );
    const [first, second] = [await serveUi(root, { host: "127.0.0.1" }), await serveUi(root, { host: "127.0.0.1" })];
    expect(new URL(second.url).port).not.toBe(new URL(first.url).port);
    await Promise.all([first.close(), second.close()]);
  });

  test("for an address of another machine", async () => {
    await expect(serveUi(root, { host: "192.0.2.1", port: 0 })).rejects.toThrow(
      /^ui: cannot listen on port 0 of 192\.0\.2\.1 \(EADDRNOTAVAIL\)\. Expected an address of this machine/,
    );
  });

  test("for a folder that is missing, and one that is none", async () => {
    const missing = join(scratch, "missing");
    await expect(serveUi(missing, { host: "127.0.0.1", port: 0 })).rejects.toThrow(
      `ui: there is no folder "${missing}". Expected`,
    );
    const file = join(scratch, "secret.txt");
    await expect(serveUi(file, { host: "127.0.0.1", port: 0 })).rejects.toThrow(`ui: "${file}" is no folder. Expected`);
  });
});

test("a run whose files have other shapes than ours is shown as far as it goes, and takes no other with it", async () => {
  const odd = join(root, "odd");
  makeRun(odd, [step(1), '{"kind":"step","step":2}\n', step(3)]);
  writeFileSync(join(odd, "config.json"), '{"dataset":{"toString":1},"guide":[],"batchSize":"x"}');
  writeFileSync(join(odd, "summary.json"), '{"arms":[null,1,{"arm":{"toString":1},"test":null}]}');
  const stream = listen("run=odd&run=one");
  try {
    const seen: Update[] = [];
    while (!seen.some(({ details = [] }) => details.some(({ id }) => id === "odd")))
      seen.push((await stream.next()).update);
    const [detail] = seen.flatMap(({ details = [] }) => details.filter(({ id }) => id === "odd"));
    expect(detail).toMatchObject({ dataset: "?", state: "finished" });
    expect(seen.flatMap(({ runs = [] }) => runs.map(({ id }) => id))).toContain("one");
  } finally {
    stream.close();
    rmSync(odd, { recursive: true });
  }
});
