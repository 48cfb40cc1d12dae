/**
 * Records on their way to a server, apart from the training that makes them: they wait in a queue of limited length, go in
 * batches now and then, and go again, after growing pauses, where the server fails. A server that is down or hangs costs the
 * oldest records, and its end a few seconds.
 */
import { AnswerError, failureText } from "./http.ts";

/** A server that takes records. */
export interface Remote<Item> {
  /** For messages. */
  readonly address: string;
  /** Most records of a request. */
  readonly most: number;
  /** Records that wait at most; the oldest are dropped. */
  readonly queued: number;
  /** Milliseconds between requests. */
  readonly interval: number;
  /** Prepares the server; called until it succeeds. */
  open(signal: AbortSignal): Promise<void>;
  /** Called again with the same records after a failure, whose records may have arrived all the same. */
  send(items: readonly Item[], signal: AbortSignal): Promise<void>;
  finish(complete: boolean, signal: AbortSignal): Promise<void>;
}

export interface UploadLimits {
  /** Milliseconds that `close` takes at most. */
  readonly closing: number;
  /** Milliseconds of the first pause after a failure; each is twice the one before, up to `longestPause`. */
  readonly pause: number;
  readonly longestPause: number;
}

export const UPLOAD_LIMITS: UploadLimits = { closing: 4000, pause: 1000, longestPause: 60_000 };

export class Upload<Item> {
  readonly #remote: Remote<Item>;
  readonly #warn: (text: string) => void;
  readonly #limits: UploadLimits;
  readonly #deadline = new AbortController();
  readonly #running: Promise<void>;
  #waiting: Item[] = [];
  #dropped = 0;
  #isOpen = false;
  #failures = 0;
  #closing: { readonly complete: boolean } | undefined;
  #wake: (() => void) | undefined;

  constructor(remote: Remote<Item>, warn: (text: string) => void, limits: UploadLimits = UPLOAD_LIMITS) {
    this.#remote = remote;
    this.#warn = warn;
    this.#limits = limits;
    this.#running = this.#run();
  }

  /** Takes records at once; after a refusal they go nowhere. */
  push(items: readonly Item[]): void {
    if (this.#deadline.signal.aborted) return;
    this.#waiting.push(...items);
    const tooMany = this.#waiting.length - this.#remote.queued;
    if (tooMany > 0) this.#drop(tooMany);
  }

  /** Sends what waits and ends the record there, in `closing` milliseconds or not at all. */
  async close(complete: boolean): Promise<void> {
    this.#closing = { complete };
    const timer = setTimeout(() => this.#stop(), this.#limits.closing);
    this.#wake?.();
    await this.#running;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    const { signal } = this.#deadline;
    while (!signal.aborted) {
      try {
        if (await this.#advance(signal)) return;
        this.#failures = 0;
        const more = this.#waiting.length >= this.#remote.most;
        if (!more && !this.#closing) await this.#pause(this.#remote.interval);
      } catch (error) {
        // what was under way when time was up
        if (signal.aborted) break;
        this.#report(error);
        if (error instanceof AnswerError && !error.passing) return this.#refused();
        const { pause, longestPause } = this.#limits;
        const length = Math.min(longestPause, pause * 2 ** this.#failures++);
        await this.#pause(this.#closing ? Math.min(length, 200) : length);
      }
    }
    const lost = this.#waiting.length + this.#dropped;
    const what = lost > 0 ? `${lost} records have` : "the end of the record has";
    this.#warn(`${what} not reached ${this.#remote.address}`);
  }

  /** One request; whether it was the last. */
  async #advance(signal: AbortSignal): Promise<boolean> {
    if (!this.#isOpen) {
      await this.#remote.open(signal);
      this.#isOpen = true;
    }
    if (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, this.#remote.most);
      const before = this.#dropped;
      await this.#remote.send(batch, signal);
      // the queue may have lost some of these at its head meanwhile
      this.#waiting.splice(0, Math.max(0, batch.length - (this.#dropped - before)));
      return false;
    }
    if (!this.#closing) return false;
    await this.#remote.finish(this.#closing.complete, signal);
    return true;
  }

  #drop(count: number): void {
    if (this.#dropped === 0) this.#warn(`the oldest records are dropped until ${this.#remote.address} takes more`);
    this.#waiting.splice(0, count);
    this.#dropped += count;
  }

  #report(error: unknown): void {
    if (this.#failures > 0 || this.#closing) return;
    const what = error instanceof AnswerError && !error.passing ? "no more is sent there" : "it is tried again";
    this.#warn(`${this.#remote.address} failed (${failureText(error)}); ${what}, and the training goes on`);
  }

  #refused(): void {
    this.#waiting = [];
    this.#stop();
  }

  #stop(): void {
    this.#deadline.abort();
    this.#wake?.();
  }

  /** Does not keep the process alive, and ends early when the upload is closed. */
  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
