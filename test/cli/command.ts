// Starts the `guidance` command as a user does, in folders of its own, on trainings that take about a second.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMetrics } from "@guidance/guidance";
import { afterAll } from "vitest";
import { type CommandOptions, type CommandResult, type Running, run, startProgram } from "../support/command.ts";

const command = fileURLToPath(new URL("../../packages/cli/bin/guidance.mjs", import.meta.url));

/** What was tuned on this machine is no part of a test. */
process.env.GUIDANCE_CACHE = mkdtempSync(join(tmpdir(), "guidance-cache-"));
afterAll(() => rmSync(process.env.GUIDANCE_CACHE as string, { recursive: true, force: true }));

/** Runs `guidance` to its end. */
export function guidance(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return run(process.execPath, [command, ...args], options);
}

/** Options of made-up images, a few and small. */
export const tinyData: readonly string[] = [
  ..."--dataset synthetic --synthetic-height 8 --synthetic-width 8 --synthetic-classes 4".split(" "),
  ..."--synthetic-train 48 --synthetic-validation 12 --synthetic-test 12".split(" "),
];

/** Options of a training of a few steps. */
export const tinySteps: readonly string[] = "--batch 16 --steps 4".split(" ");

/** Options of networks of a few layers. */
export const tinyNetworks: readonly string[] = "--layers 4 --first-width 6 --width 6 --guide-width 2".split(" ");

/** Options of a guide that is soon trained. */
export const tinyGuide: readonly string[] = "--guide-steps 2 --guide-batch 8".split(" ");

/** Options of a training of a few steps on the CPU backend. */
export const tiny: readonly string[] = [
  ...["--device", "cpu"],
  ...[...tinyData, ...tinySteps, ...tinyNetworks, ...tinyGuide],
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

/** Starts `guidance` and lets it run, for at most a minute. */
export function start(args: readonly string[], cwd: string): Running {
  return startProgram(process.execPath, [command, ...args], { cwd });
}
