// Runs other programs the way a user would: through pnpm and npm, in a folder of their own. Never blocks: a test runner
// whose worker is silent for a minute takes it for dead.

import { execFile, spawn } from "node:child_process";
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

export interface Running {
  readonly pid: number | undefined;
  /** Resolves when the output contains `text`. */
  printed(text: string): Promise<void>;
  /** Resolves with the first group of `pattern` when the output matches it. */
  found(pattern: RegExp): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** Exit status and all that was printed. */
  readonly ended: Promise<{ status: number | null; output: string }>;
}

/** Starts a program and lets it run, for at most a minute. */
export function startProgram(program: string, args: readonly string[], options: CommandOptions = {}): Running {
  const { cwd = root, env } = options;
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, timeout: 60_000 });
  let output = "";
  const waiting = new Set<() => void>();
  const hear = (chunk: Buffer) => {
    output += chunk;
    for (const look of waiting) look();
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const ended = new Promise<{ status: number | null; output: string }>((resolve) => {
    child.on("close", (status) => {
      for (const look of waiting) look();
      resolve({ status, output });
    });
  });
  /** Resolves with what `find` gives of the output, once it gives something. */
  const awaited = <T>(what: string, find: () => T | undefined) =>
    new Promise<T>((resolve, reject) => {
      const look = () => {
        const result = find();
        if (result !== undefined) resolve(result);
        else if (child.exitCode !== null) reject(new Error(`ended without ${what}:\n${output}`));
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  const found = (pattern: RegExp) => awaited(String(pattern), () => pattern.exec(output)?.[1]);
  const printed = async (text: string) => void (await awaited(`"${text}"`, () => output.includes(text) || undefined));
  return { pid: child.pid, printed, found, ended, kill: (signal) => void child.kill(signal) };
}

/** The command for this repository's pnpm: the one on the path, which scripts run by pnpm have, else through npx. */
export async function pnpm(): Promise<[program: string, ...args: string[]]> {
  const { packageManager } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const onPath = await run("pnpm", ["--version"]);
  if (onPath.status === 0 && packageManager === `pnpm@${onPath.stdout.trim()}`) return ["pnpm"];
  return ["npx", "-y", packageManager];
}
