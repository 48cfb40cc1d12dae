/** Errors as the user sees them: one line on stderr and an exit status; the stack only where it is asked for. */
import { ConfigError, InterruptedError } from "@guidance/guidance";
import { expectedOf, flagOf } from "./options.ts";

/** A command that found something wrong which it has already printed. */
export class SilentFailure extends Error {}

/** Exit statuses of a process that was told to stop: 128 and the signal's number. */
export const signalStatus = { SIGINT: 130, SIGTERM: 143 } as const;
export type StopSignal = keyof typeof signalStatus;

/** A run that stopped because it was told to, and has said so. */
export class Stopped extends Error {
  readonly status: number;

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`);
    this.status = signalStatus[signal];
  }
}

/** Whether stacks are wanted; read from the arguments themselves, since they may be what is wrong. */
export const isDebug = (): boolean => process.argv.includes("--debug");

/** Prints `error` and returns the exit status it stands for. */
export function reportError(error: unknown, debug: boolean): number {
  if (error instanceof SilentFailure) return 1;
  if (error instanceof Stopped) return error.status;
  console.error(debug && error instanceof Error ? stacksOf(error) : `error: ${describeError(error)}`);
  return error instanceof InterruptedError ? signalStatus.SIGINT : 1;
}

/** The stack of an error, and of those that led to it. */
function stacksOf({ stack = "", cause }: Error): string {
  return cause instanceof Error ? `${stack}\ncaused by ${stacksOf(cause)}` : stack;
}

/** The message of an error on one line. */
export function describeError(error: unknown): string {
  if (error instanceof ConfigError) {
    return error.issues
      .map(({ field, facts, expected }) => `${settingOf(field)}: ${facts}. Expected ${expectedOf(field, expected)}.`)
      .join(" ");
  }
  if (!(error instanceof Error)) return oneLine(String(error));
  // what JavaScript itself raises says little without its kind
  const kind = error instanceof TypeError || error instanceof RangeError ? `${error.name}: ` : "";
  return kind + oneLine(error.message);
}

/** A field of the configuration as the user knows it: its option, where it has one. */
function settingOf(field: string): string {
  if (field === "") return "configuration";
  const flag = flagOf(field);
  return flag.startsWith("--") ? `option ${flag}` : `configuration "${field}"`;
}

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, " ");
