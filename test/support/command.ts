// Runs other programs the way a user would: through pnpm and npm, in a folder of their own. Never blocks: a test runner
// whose worker is silent for a minute takes it for dead.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Record<string, string>;
}

export interface CommandResult {
  /** The exit status; a signal or a program that does not start counts as 1. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams, for messages. */
  readonly output: string;
}

/** Runs a program to its end, without colours, for at most five minutes. */
export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const settings = {
    cwd: options.cwd ?? root,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", ...options.env },
    maxBuffer: 2 ** 26,
    shell: process.platform === "win32", // npm and npx are scripts there
    timeout: 300_000,
  };
  return new Promise((resolve) => {
    execFile(program, args, settings, (error, stdout, stderr) => {
      const status = typeof error?.code === "number" ? error.code : error ? 1 : 0;
      resolve({ status, stdout, stderr, output: `${stdout}\n${stderr}\n${status === 1 ? error?.message : ""}`.trim() });
    });
  });
}

/** Runs a program and throws, with its output, when it fails. */
export async function mustRun(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { status, stdout, output } = await run(program, args, options);
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with status ${status}:\n${output}`);
  return stdout;
}

/** The command for this repository's pnpm: the one on the path, which scripts run by pnpm have, else through npx. */
export async function pnpm(): Promise<[program: string, ...args: string[]]> {
  const { packageManager } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const onPath = await run("pnpm", ["--version"]);
  if (onPath.status === 0 && packageManager === `pnpm@${onPath.stdout.trim()}`) return ["pnpm"];
  return ["npx", "-y", packageManager];
}
