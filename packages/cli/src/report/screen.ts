/**
 * Where progress is shown: a bar that stays at the bottom of a terminal, plain lines now and then where the
 * output goes to a file or another program.
 */
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import { duration } from "./format.ts";

/** One moment of something that takes long. */
export interface ProgressLine {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** What else there is to say. */
  readonly detail: string;
}

export interface Screen {
  /** Prints a line above the progress. */
  line(text: string): void;
  progress(line: ProgressLine): void;
  /** Ends the progress; lines printed after it stand below it. */
  close(): void;
}

/** The screen for a stream: a terminal or not. Progress ends with the time that is left. */
export function openScreen(stream: NodeJS.WriteStream = process.stdout): Screen {
  const screen = stream.isTTY ? new BarScreen(stream) : new PlainScreen(stream);
  const left = timeLeft();
  return {
    line: (text) => screen.line(text),
    progress: (line) =>
      screen.progress({ ...line, detail: [line.detail, `ETA ${left(line)}`].filter(Boolean).join("  ") }),
    close: () => screen.close(),
  };
}

/** Tells the time left of what has a label, from its pace since the first moment it was shown. */
function timeLeft(): (line: ProgressLine) => string {
  const begun = new Map<string, { readonly done: number; readonly since: number }>();
  return ({ label, done, total }) => {
    const now = performance.now() / 1000;
    const known = begun.get(label);
    // the first step of a training compiles shaders and says nothing about the others
    const from = known && known.done <= done ? known : { done, since: now };
    begun.set(label, from);
    if (done === total) return duration(0);
    return done > from.done ? duration(((now - from.since) * (total - done)) / (done - from.done)) : "?";
  };
}

/** Letters that labels have room for. */
const LABEL = 9;

const progressText = ({ label, done, total, detail }: ProgressLine): string =>
  `${label.padEnd(LABEL)} ${String(done).padStart(String(total).length)}/${total}  ${detail}`;

class BarScreen implements Screen {
  readonly #stream: NodeJS.WriteStream;
  #bars: MultiBar | undefined;
  #bar: SingleBar | undefined;
  #label: string | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  line(text: string): void {
    if (!this.#bars) {
      this.#stream.write(`${text}\n`);
      return;
    }
    this.#bars.log(`${text}\n`);
    this.#bars.update(); // lines wait for the next drawing, and the last one has none
  }

  progress({ label, done, total, detail }: ProgressLine): void {
    if (label !== this.#label) this.close();
    if (!this.#bars) {
      // signals are handled by the command itself
      const options = { stream: this.#stream, hideCursor: true, gracefulExit: false, barsize: 20, linewrap: false };
      const format = "{label} {bar} {value}/{total}  {detail}";
      this.#bars = new MultiBar({ ...options, format }, Presets.shades_classic);
      this.#bar = this.#bars.create(total, 0, { label: label.padEnd(LABEL), detail });
      this.#label = label;
    }
    this.#bar?.update(done, { label: label.padEnd(LABEL), detail });
  }

  close(): void {
    this.#bars?.stop();
    this.#bars = undefined;
    this.#bar = undefined;
    this.#label = undefined;
  }
}

/** Seconds between progress lines of one label. */
const PLAIN_INTERVAL = 10;

class PlainScreen implements Screen {
  readonly #stream: NodeJS.WriteStream;
  #label: string | undefined;
  #printed = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  line(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  progress(line: ProgressLine): void {
    const now = performance.now() / 1000;
    const due = line.label !== this.#label || line.done === line.total || now - this.#printed >= PLAIN_INTERVAL;
    if (!due) return;
    this.#label = line.label;
    this.#printed = now;
    this.line(progressText(line));
  }

  close(): void {}
}
