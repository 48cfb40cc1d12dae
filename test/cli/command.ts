// Starts the `guidance` command as a user does, in folders of its own, on trainings that take about a second.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMetrics } from "@guidance/guidance";
import { afterAll } from "vitest";
import { type CommandOptions, type CommandResult, run } from "../support/command.ts";

const command = fileURLToPath(new URL("../../packages/cli/bin/guidance.mjs", import.meta.url));

/** What was tuned on this machine is no part of a test. */
process.env.GUIDANCE_CACHE = mkdtempSync(join(tmpdir(), "guidance-cache-"));
afterAll(() => rmSync(process.env.GUIDANCE_CACHE as string, { recursive: true, force: true }));

/** Runs `guidance` to its end. */
export function guidance(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return run(process.execPath, [command, ...args], options);
}

/** Options of a training of a few steps on the CPU backend. */
export const tiny: readonly string[] = [
  ..."--device cpu --dataset synthetic --synthetic-height 8 --synthetic-width 8 --synthetic-classes 4".split(" "),
  ..."--synthetic-train 48 --synthetic-validation 12 --synthetic-test 12 --batch 16 --steps 4".split(" "),
  ..."--layers 4 --first-width 6 --width 6 --guide-width 2 --guide-steps 2 --guide-batch 8".split(" "),
];

/** Folders that are gone after the tests of a file. */
export function scratch(): () => string {
  const root = mkdtempSync(join(tmpdir(), "guidance-command-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return () => mkdtempSync(join(root, "work-"));
}

/** The line that names the folder of a run. */
export function runFolder(stdout: string): string {
  return /^run folder (.*)$/m.exec(stdout)?.[1] ?? "no folder was named";
}

/** What the guided student of a run came to: the hash of all its tensors, and its record without times. */
export function outcome(run: string) {
  const { tensors } = JSON.parse(readFileSync(join(run, "guided", "last.json"), "utf8"));
  const records = readMetrics(join(run, "guided", "metrics.jsonl"));
  return {
    tensors: tensors.sha256,
    records: records.map(({ seconds: _seconds, dataSeconds: _data, ...record }) => record),
  };
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

/** Starts `guidance` and lets it run. */
export function start(args: readonly string[], cwd: string): Running {
  const child = spawn(process.execPath, [command, ...args], { cwd, timeout: 60_000 });
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
