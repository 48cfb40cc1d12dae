/** What a command tells: lines and progress for people, a result, and the same as JSON for machines. */
import { encodeJson, type JsonObject } from "@guidance/guidance";
import type { Command } from "commander";
import { openScreen, type ProgressLine, type Screen } from "./screen.ts";

export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Adds `--json` (with what it prints), `--quiet`, `--verbose` and `--debug`. */
export function addOutputOptions(command: Command, json: string): Command {
  return command
    .option("--json", json)
    .option("-q, --quiet", "only the result and what is wrong")
    .option("-v, --verbose", "also what is of interest now and then, such as each kernel of a plan")
    .option("--debug", "show stacks of errors");
}

/** With `--json` standard output has JSON alone, and lines for people go to standard error. */
export class Output implements Screen {
  readonly #options: OutputOptions;
  readonly #stdout: NodeJS.WriteStream;
  readonly #screen: Screen;

  constructor(options: OutputOptions, stdout: NodeJS.WriteStream = process.stdout, stderr = process.stderr) {
    this.#options = options;
    this.#stdout = stdout;
    this.#screen = openScreen(options.json ? stderr : stdout);
  }

  line(text: string): void {
    if (!this.#options.quiet) this.#screen.line(text);
  }

  /** A line that stands also where `--quiet` leaves out others: what is wrong, or cannot be guessed. */
  notice(text: string): void {
    this.#screen.line(text);
  }

  /** A line that only `--verbose` shows. */
  detail(text: string): void {
    if (this.#options.verbose) this.line(text);
  }

  progress(line: ProgressLine): void {
    if (!this.#options.quiet) this.#screen.progress(line);
  }

  /** One JSON object on a line of its own, for machines only; numbers that are not finite are strings, as in the record of a run. */
  record(value: object): void {
    if (this.#options.json) this.#stdout.write(`${encodeJson(value as JsonObject)}\n`);
  }

  /** What the command was asked for: `text` for people, `value` for machines. */
  result(text: string, value: object): void {
    if (this.#options.json) this.record(value);
    else this.#screen.line(text);
  }

  close(): void {
    this.#screen.close();
  }
}
