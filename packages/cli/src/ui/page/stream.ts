/**
 * The stream of updates. It comes back by itself: after a cut with what was missed since, from another server with
 * everything. A page that nobody sees does not listen, which costs neither side anything.
 */
import type { Update } from "../protocol.ts";

export type Connection = "connecting" | "live" | "lost" | "ended";

/** Milliseconds between attempts to reach a server that is gone. */
const AGAIN = 2000;

export class Stream {
  readonly #hear: (update: Update) => void;
  readonly #tell: (connection: Connection) => void;
  #ids: readonly string[] = [];
  #source: EventSource | undefined;
  #last = "";
  #again: number | undefined;

  constructor(hear: (update: Update) => void, tell: (connection: Connection) => void) {
    this.#hear = hear;
    this.#tell = tell;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
  }

  /** Listens to the list and these runs. */
  watch(ids: readonly string[]): void {
    this.#ids = ids;
    // what is not known of other runs is not only what is new
    this.#last = "";
    this.#open();
  }

  #close(): void {
    clearTimeout(this.#again);
    this.#source?.close();
    this.#source = undefined;
  }

  #open(): void {
    this.#close();
    if (document.hidden) return;
    const query = new URLSearchParams(this.#ids.map((id) => ["run", id]));
    if (this.#last !== "") query.set("since", this.#last);
    const source = new EventSource(`/events?${query}`);
    this.#source = source;
    source.onopen = () => this.#tell("live");
    source.onmessage = ({ data, lastEventId }: MessageEvent<string>) => {
      this.#last = lastEventId;
      this.#tell("live");
      this.#hear(JSON.parse(data));
    };
    source.addEventListener("end", () => {
      this.#tell("ended");
      this.#later();
    });
    source.onerror = () => {
      this.#tell("lost");
      this.#later();
    };
  }

  #later(): void {
    this.#close();
    this.#again = window.setTimeout(() => this.#open(), AGAIN);
  }
}
