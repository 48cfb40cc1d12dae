/**
 * Tells every page what is new, every two seconds, over server-sent events. Each message says all that changed since
 * the one before that the page got, so one that reads slowly is sent fewer and larger ones and never makes the server's
 * memory grow, and one that comes back names the last message it got (Last-Event-ID) and misses nothing.
 */
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { MOST_RUNS } from "../../figures/look.ts";
import type { Update } from "../protocol.ts";
import type { Runs } from "./runs.ts";

/** Milliseconds between looks at the files: drawing takes a page 20 ms of a core each time, which training may want. */
const INTERVAL = 2000;
/** The list of runs changes less often. */
const LIST_EVERY = 2;
/** After so many milliseconds without news a page is told that the server is there. */
const HEARTBEAT = 15_000;
/** A page that has read nothing for so long is gone. */
const STALLED = 60_000;

interface Client {
  readonly response: ServerResponse;
  readonly ids: readonly string[];
  /** Version up to which it knows everything. */
  known: number;
  /** When something was last written, and when it last had taken everything. */
  written: number;
  drained: number;
}

export class Feed {
  readonly #runs: Runs;
  /** Versions of another server mean nothing here. */
  readonly #server = randomUUID();
  readonly #clients = new Set<Client>();
  #version = 0;
  #turns = 0;
  #isRunning = false;
  #wake: (() => void) | undefined;
  /** The look at the files that is under way: two at a time would read everything twice. */
  #looking: Promise<boolean> = Promise.resolve(false);

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  /** Pages that are being told. */
  get size(): number {
    return this.#clients.size;
  }

  /** Tells `response` about the list and the runs `ids`, from the message `lastEventId` on, until it is closed. */
  add(response: ServerResponse, ids: readonly string[], lastEventId: string | undefined): void {
    const [server, version] = lastEventId?.split("/") ?? [];
    const known = server === this.#server && /^\d+$/.test(version) ? Number(version) : -1;
    const now = Date.now();
    const client = { response, ids: ids.slice(0, MOST_RUNS), known, written: now, drained: now };
    response.write("retry: 1000\n\n");
    this.#clients.add(client);
    response.on("close", () => this.#clients.delete(client));
    this.#wake?.();
    if (!this.#isRunning) void this.#run();
  }

  /** Says a last time what is new, and that no more will come. */
  async end(): Promise<void> {
    await this.#turn();
    for (const { response } of this.#clients) response.end("event: end\ndata: {}\n\n");
    this.#clients.clear();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // nobody looks at the files while nobody looks at the page
    while (this.#clients.size > 0) {
      const isMore = await this.#turn();
      if (!isMore) await this.#pause();
    }
    this.#isRunning = false;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, INTERVAL);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #turn(): Promise<boolean> {
    // what one look cannot read, the next may
    this.#looking = this.#looking.then(() => this.#look()).catch(() => false);
    return this.#looking;
  }

  /** One look at the files; true where there is more to read at once. */
  async #look(): Promise<boolean> {
    const version = ++this.#version;
    const isNew = [...this.#clients].some(({ known }) => known < 0);
    const watched = new Set([...this.#clients].flatMap(({ ids }) => ids));
    if (isNew || this.#turns++ % LIST_EVERY === 0) await this.#runs.refresh(version);
    let isMore = false;
    for (const id of watched) {
      const run = this.#runs.get(id);
      if (!run) continue;
      run.watched = version;
      isMore = (await run.read(version)) || isMore;
      await run.refresh(version);
    }
    this.#runs.trim(watched);
    for (const client of this.#clients) this.#tell(client, version);
    return isMore;
  }

  #tell(client: Client, version: number): void {
    const { response } = client;
    const now = Date.now();
    if (response.writableNeedDrain) {
      if (now - client.drained > STALLED) response.destroy();
      return;
    }
    client.drained = now;
    const update = this.#since(client);
    if (update) {
      response.write(`id: ${this.#server}/${version}\ndata: ${JSON.stringify(update)}\n\n`);
      client.known = version;
    } else if (now - client.written > HEARTBEAT) response.write(": still here\n\n");
    else return;
    client.written = now;
  }

  #since({ known, ids }: Client): Update | undefined {
    const runs = this.#runs.since(known);
    const changes = ids.flatMap((id) => this.#runs.get(id)?.since(known) ?? []);
    const details = changes.flatMap(({ detail }) => detail ?? []);
    const arms = changes.flatMap((change) => change.arms);
    if (!runs && details.length === 0 && arms.length === 0) return undefined;
    return {
      ...(runs ? { runs } : {}),
      ...(details.length > 0 ? { details } : {}),
      ...(arms.length > 0 ? { arms } : {}),
    };
  }
}
