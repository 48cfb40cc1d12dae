/**
 * Loggers: where the record of a network in training goes beside its `metrics.jsonl`. They are extras, so none of them may
 * hold up or end a training: the first failure of one is told in one line, and the training goes on without it.
 */

import { describeValue } from "../own-code.ts";
import type { JsonObject } from "../run/json.ts";
import type { ArmResult } from "../train/evaluate.ts";
import type { InspectionEvent, StepEvent, ValidationEvent } from "../train/observer.ts";
import type { PairNames } from "../train/step.ts";

/** The network whose training begins, or goes on. */
export interface LogStart {
  /** The folder of the network, which exists. */
  readonly folder: string;
  /** guide, guided or unguided. */
  readonly arm: string;
  /** The configuration of the run. */
  readonly config: JsonObject;
  /** Steps done before: 0, or those of the checkpoint that a resumed run goes on from. */
  readonly step: number;
  /** Shows one line, which begins with the name of the logger. */
  warn(text: string): void;
}

/** Is told what happens, between steps: it has to be quick, and does what takes long on its own time. */
export interface Logger {
  /** Paired layers, in the order of the similarities of each step; told before the first of them. */
  layers?(pairs: readonly PairNames[]): void;
  /** After each step. */
  step?(event: StepEvent): void;
  /** After each validation. */
  validation?(event: ValidationEvent): void;
  /** After each inspection. */
  inspection?(event: InspectionEvent): void;
  /** A checkpoint is about to be written. */
  saving?(): void;
  /** The training is complete; test scores, for students. */
  end?(result?: ArmResult): void;
  /** The last call, also after a failure: what is on its way may take some seconds. */
  close?(): void | Promise<void>;
}

/** Opens a logger for one network; throws where it cannot. */
export type OpenLogger = (start: LogStart) => Logger;

/** Milliseconds that the end of a training waits for a logger. */
const PATIENCE = 5000;

/** All loggers of `openers`, by name, as one that never fails and whose `close` takes some seconds at most. */
export function combineLoggers(openers: ReadonlyMap<string, OpenLogger>, start: LogStart): Required<Logger> {
  const open = [...openers].map(([name, opener]) => new Guarded(name, opener, start));
  const tell = <K extends keyof Logger>(event: K, ...args: Parameters<Required<Logger>[K]>) => {
    for (const logger of open) logger.tell(event, args);
  };
  return {
    layers: (pairs) => tell("layers", pairs),
    step: (event) => tell("step", event),
    validation: (event) => tell("validation", event),
    inspection: (event) => tell("inspection", event),
    saving: () => tell("saving"),
    end: (result) => tell("end", result),
    close: () => Promise.all(open.map((logger) => logger.close())).then(() => {}),
  };
}

class Guarded {
  readonly #name: string;
  readonly #start: LogStart;
  #logger: Logger | undefined;
  #failed = false;

  constructor(name: string, opener: OpenLogger, start: LogStart) {
    this.#name = name;
    this.#start = start;
    try {
      const opened: unknown = opener({ ...start, warn: (text) => this.#warn(text) });
      if (typeof opened !== "object" || opened === null) throw new Error(`it gave ${describeValue(opened)}, no logger`);
      this.#logger = opened;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What the logger's own `event` gives, if it is in use and has one. */
  tell(event: keyof Logger, args: readonly unknown[]): unknown {
    try {
      const logger = this.#logger;
      const method = logger?.[event] as ((...given: readonly unknown[]) => unknown) | undefined;
      const result = method?.call(logger, ...args);
      // a promise nobody waits for would end the process when it is rejected
      return result instanceof Promise ? result.catch((error: unknown) => this.#fail(error)) : result;
    } catch (error) {
      return this.#fail(error);
    }
  }

  async close(): Promise<void> {
    const logger = this.#logger;
    // whatever becomes of it, it is closed once
    this.#logger = undefined;
    let closing: Promise<void>;
    try {
      closing = Promise.resolve(logger?.close?.()).catch((error: unknown) => this.#fail(error));
    } catch (error) {
      return this.#fail(error);
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#warn("it does not come to an end; the training does not wait for it");
        resolve();
      }, PATIENCE);
    });
    await Promise.race([closing, late]);
    clearTimeout(timer);
  }

  #fail(error: unknown): void {
    const failed = this.#logger;
    this.#logger = undefined;
    const reason = (error instanceof Error ? error.message : String(error)).trim().replace(/\s*\n\s*/g, " ");
    if (!this.#failed) this.#warn(`${reason}; the training goes on without it`);
    this.#failed = true;
    // it may hold files or connections
    try {
      Promise.resolve(failed?.close?.()).catch(() => {});
    } catch {}
  }

  #warn(text: string): void {
    this.#start.warn(`logger ${this.#name} of ${this.#start.arm}: ${text}`);
  }
}
