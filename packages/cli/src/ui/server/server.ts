/**
 * The dashboard's server: a page, its script and style, and a stream of events about runs. Nothing else has a path, so
 * that no request names a file; a run is looked up in the list of its folder.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { RunError } from "@guidance/guidance";
import { type Asset, bundlePage } from "./assets.ts";
import { Feed } from "./feed.ts";
import { headers, hostsOf, inUrl, refusalOf } from "./guard.ts";
import { Runs } from "./runs.ts";

export const DEFAULT_HOST = "127.0.0.1";
export const DEFAULT_PORT = 4747;

/** Pages that are told at a time. */
const MOST_PAGES = 64;
/** Milliseconds that pages have to take the last message. */
const PATIENCE = 500;

export interface UiOptions {
  readonly host: string;
  /** 0: any that is free; absent: the usual one, or any where that is taken. */
  readonly port?: number | undefined;
}

export interface Ui {
  /** Where to open it. */
  readonly url: string;
  /** The same under other addresses of the machine. */
  readonly others: readonly string[];
  /** Tells the pages what is new a last time, and that it ends. */
  close(): Promise<void>;
}

/** Serves the runs in `folder`; throws RunError where there is no such folder, or the port is taken. */
export async function serveUi(folder: string, { host, port }: UiOptions): Promise<Ui> {
  const feed = new Feed(await Runs.open(folder));
  const assets = await bundlePage();
  const server = createServer((request, response) => answer(request, response, { assets, feed, host }));
  const found = await listen(server, host, port);
  const [url, ...others] = hostsOf(host).map((name) => `http://${inUrl(name)}:${found}/`);
  return {
    url,
    others,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      await feed.end();
      server.closeIdleConnections();
      // who does not read to the end is not waited for
      const patience = setTimeout(() => server.closeAllConnections(), PATIENCE);
      await closed;
      clearTimeout(patience);
    },
  };
}

/** Listens, and gives the port. */
async function listen(server: Server, host: string, port: number | undefined): Promise<number> {
  const attempt = (at: number) =>
    new Promise<number>((resolve, reject) => {
      server.removeAllListeners("error").once("error", reject);
      server.listen({ host, port: at }, () => {
        const address = server.address();
        resolve(typeof address === "object" && address ? address.port : at);
      });
    });
  const isTaken = (error: unknown) => (error as NodeJS.ErrnoException).code === "EADDRINUSE";
  try {
    return await attempt(port ?? DEFAULT_PORT).catch((error) => {
      if (port === undefined && isTaken(error)) return attempt(0);
      throw error;
    });
  } catch (error) {
    const where = `port ${port ?? DEFAULT_PORT} of ${host}`;
    if (isTaken(error)) {
      const hint = "Choose another with --port; 0 takes any that is free";
      throw new RunError({ what: "ui", facts: `${where} is in use`, expected: "a port that is free", hint });
    }
    throw new RunError({
      what: "ui",
      facts: `cannot listen on ${where} (${(error as NodeJS.ErrnoException).code})`,
      expected: "an address of this machine, and a port that you may use",
      hint: "Check --host and --port",
    });
  }
}

interface Answering {
  readonly assets: ReadonlyMap<string, Asset>;
  readonly feed: Feed;
  readonly host: string;
}

function refuse(response: ServerResponse, status: number, text: string, more: Record<string, string> = {}): void {
  response.writeHead(status, { ...headers, "content-type": "text/plain; charset=utf-8", ...more });
  response.end(`${text}\n`);
}

function answer(request: IncomingMessage, response: ServerResponse, { assets, feed, host }: Answering): void {
  const { method, url = "" } = request;
  if (method !== "GET") {
    refuse(response, 405, "only GET is answered", { allow: "GET", connection: "close" });
    return;
  }
  const refusal = refusalOf(request, host);
  if (refusal) {
    refuse(response, refusal.status, refusal.text);
    return;
  }
  // never decoded or resolved: a path is one of ours as it stands, or it is none
  const [path, query = ""] = url.split("?", 2);
  const asset = assets.get(path);
  if (asset) {
    response.writeHead(200, { ...headers, "content-type": asset.type, "content-length": asset.body.length });
    response.end(asset.body);
  } else if (path !== "/events") refuse(response, 404, "there is nothing here");
  else if (feed.size >= MOST_PAGES) refuse(response, 503, "too many pages are open");
  else {
    response.writeHead(200, { ...headers, "content-type": "text/event-stream; charset=utf-8" });
    stream(request, response, new URLSearchParams(query), feed);
  }
}

/** A page that opens the stream anew by itself cannot set the header, and says `since`. */
function stream(
  { headers: { "last-event-id": last } }: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  feed: Feed,
): void {
  const since = typeof last === "string" ? last : (query.get("since") ?? undefined);
  feed.add(response, query.getAll("run"), since);
}
