// A run that is killed at any moment, without warning, goes on from its last checkpoint and ends as one that never was:
// always a loadable checkpoint, no metric line lost or doubled.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openDevice } from "@guidance/shaders";
import { describe, expect, test } from "vitest";
import { openTier } from "../support/tiers.ts";
import { guidance, outcome, scratch, start, tiny } from "./command.ts";

const opened = await openTier("webgpu", openDevice, ({ description }) => description);
opened?.close();

const fresh = scratch();

const STEPS = 150;
const KILLS = 20;
/** Milliseconds: 22 starts of about two seconds on a quiet machine, several times as long on a busy one. */
const LIMIT = 500_000;
/** The first step of the student has been taken. */
const TRAINING = "\nguided ";

/** Writes two checkpoints every third step, so that many of the kills meet one being written. */
const train = ["train", ...tiny.slice(2), "--steps", String(STEPS), "--validate-every", "3", "--no-baseline"];

/** Numbers in [0, 1), always the same. */
function* draws(): Generator<number, never> {
  for (let state = 1; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

describe.each([
  ["cpu", true],
  ["auto", opened !== undefined],
] as const)("on device %s", (device, isThere) => {
  test.skipIf(!isThere)(
    `killed ${KILLS} times, it ends with the bits of a run that never was`,
    async () => {
      const cwd = fresh();
      const options = ["--device", device];
      const whole = start([...train, ...options, "--folder", "whole"], cwd);
      await whole.printed(TRAINING);
      const begun = performance.now();
      const { status, output } = await whole.ended;
      expect(status, output).toBe(0);
      // so that all kills together leave something to do
      const longest = (performance.now() - begun) / KILLS;
      const run = join(cwd, "killed");
      const next = draws();
      for (let killed = 1; killed <= KILLS; killed++) {
        // what died before its configuration was written never was a run
        if (!existsSync(join(run, "environment.json"))) rmSync(run, { recursive: true, force: true });
        const args = existsSync(run) ? ["train", "--resume", "killed"] : [...train, "--folder", "killed"];
        const running = start([...args, ...options], cwd);
        // now and then while networks are built and compiled, else while they train
        await running.printed(killed % 4 === 0 ? "run folder" : TRAINING);
        await new Promise((resolve) => setTimeout(resolve, longest * next.next().value));
        running.kill("SIGKILL");
        const ended = await running.ended;
        expect(ended.status, ended.output).toBeNull();
        // each start loads the last checkpoint; now and then another process does
        if (killed % 5 === 0 && existsSync(join(run, "guided", "last.json"))) {
          const scored = await guidance(["eval", "killed", "--device", "cpu"], { cwd });
          expect(scored.status, scored.output).toBe(0);
        }
      }
      const last = await guidance(["train", "--resume", "killed", ...options], { cwd });
      expect(last.status, last.output).toBe(0);
      expect(outcome(run)).toEqual(outcome(join(cwd, "whole")));
      // nothing of the files that were being written is left; each start has an event file of its own
      const files = readdirSync(join(run, "guided"))
        .filter((name) => !/^events\.out\.tfevents\.\d+\.guidance$/.test(name))
        .map((name) => name.replace(/-[\da-f]{16}/, ""));
      expect(new Set(files)).toEqual(
        new Set(["best.json", "best.safetensors", "last.json", "last.safetensors", "metrics.jsonl"]),
      );
      expect(files).toHaveLength(5);
    },
    LIMIT,
  );
});
