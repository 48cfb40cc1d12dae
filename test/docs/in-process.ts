// Runs commands of `guidance` in this process, which starts none, and keeps what they print.

import { buildProgram } from "@guidance/cli";
import { vi } from "vitest";

/** What the last command wrote to standard output and to standard error. */
export const printed = { stdout: "", stderr: "" };

/** Keeps what is printed from now on, until mocks are restored. */
export function listen(): void {
  for (const stream of ["stdout", "stderr"] as const) {
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      printed[stream] += text;
      return true;
    });
  }
  for (const [method, stream] of [
    ["log", "stdout"],
    ["error", "stderr"],
  ] as const) {
    vi.spyOn(console, method).mockImplementation((text) => {
      printed[stream] += `${text}\n`;
    });
  }
}

/** Resolves with the first group of `pattern` when what is printed on standard output matches it. */
export function found(pattern: RegExp): Promise<string> {
  const look = () => {
    const [, group] = pattern.exec(printed.stdout) ?? [];
    if (group === undefined) throw new Error(`nothing matches ${pattern}:\n${printed.stdout}${printed.stderr}`);
    return group;
  };
  return vi.waitFor(look, { timeout: 60_000, interval: 5 });
}

/** What Ctrl-C does. */
export const interrupt = (): boolean => process.emit("SIGINT");

/** Runs a command line and gives its exit status: 0, or 130 where it was interrupted. Throws what it fails by. */
export async function execute(args: readonly string[], program = buildProgram()): Promise<number> {
  Object.assign(printed, { stdout: "", stderr: "" });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    const { code, status, message } = error as { code?: string; status?: number; message: string };
    if (code === "commander.helpDisplayed") return 0;
    if (status !== undefined) return status;
    throw new Error(`guidance ${args.join(" ")}: ${printed.stderr}${message}`);
  }
  return 0;
}

/** Only takes the arguments apart; throws for an option, a choice or an argument that there is none of. */
export async function parse(args: readonly string[]): Promise<void> {
  const program = buildProgram();
  for (const command of program.commands) command.action(() => {});
  await execute(args, program);
}
