// `guidance doctor` on whatever opens here.

import { expect, test } from "vitest";
import { guidance } from "./command.ts";

test("names Node, adapter, limits and memory, and tests every op", async () => {
  const { status, stdout, output } = await guidance(["doctor", "--device", "cpu"]);
  expect(status, output).toBe(0);
  expect(stdout).toContain(`Node        ${process.version} on ${process.platform}`);
  expect(stdout).toMatch(/^memory +[\d.]+ GB free of [\d.]+ GB$/m);
  expect(stdout).toMatch(/^backend +cpu float32$/m);
  expect(stdout).toMatch(/^self-test +(\d+) of \1 ops agree with the CPU backend/m);
  expect(stdout).toMatch(/^speed +this is the reference backend/m);
});

test("help names every command and the options of train with their defaults", async () => {
  const { stdout } = await guidance(["--help"]);
  for (const command of ["train", "eval", "doctor"]) expect(stdout).toContain(`  ${command} `);
  const { stdout: train } = await guidance(["train", "--help"]);
  const text = train.replace(/\s+/g, " ");
  expect(text).toContain("--alpha <x> weight of the similarity loss (default: 3)");
  expect(text).toContain("--guide-steps <n>");
  expect(text).toContain("--no-baseline");
});
