/** Ctrl-C and SIGTERM: the first asks the run to save and stop, the second ends the process at once. */
import { type StopSignal, signalStatus } from "./errors.ts";

/** Signals this close together are one: a terminal sends them to the whole group, and parents pass them on again. */
const SAME_SIGNAL_MS = 300;

export class Interruption {
  readonly #controller = new AbortController();
  readonly #handlers: [StopSignal, () => void][];
  #received: StopSignal | undefined;
  #at = 0;

  /** `announce` is called with one line when the first signal comes. */
  constructor(announce: (line: string) => void) {
    this.#handlers = (Object.keys(signalStatus) as StopSignal[]).map((signal) => [
      signal,
      () => this.#receive(signal, announce),
    ]);
    for (const [signal, handler] of this.#handlers) process.on(signal, handler);
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The signal that came, if any. */
  get received(): StopSignal | undefined {
    return this.#received;
  }

  #receive(signal: StopSignal, announce: (line: string) => void): void {
    const now = performance.now();
    if (this.#received !== undefined) {
      if (now - this.#at < SAME_SIGNAL_MS) return;
      process.exit(signalStatus[this.#received]);
    }
    this.#received = signal;
    this.#at = now;
    announce("stopping after this step and saving; once more ends at once");
    this.#controller.abort();
  }

  close(): void {
    for (const [signal, handler] of this.#handlers) process.off(signal, handler);
  }
}
