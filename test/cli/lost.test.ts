// A device that is lost in the middle of a run, whatever the run is waiting for: the run ends at once, with one line that
// says what was lost and what stands, and goes on from there to the bits of a run that lost nothing.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readMetrics } from "@guidance/guidance";
import { openDevice } from "@guidance/shaders";
import { beforeAll, describe, expect, test } from "vitest";
import { openTier } from "../support/tiers.ts";
import { guidance, scratch, tiny } from "./command.ts";

const opened = await openTier("webgpu", openDevice, ({ description }) => description);
opened?.close();

const fresh = scratch();
const preload = new URL("../support/lose-device.mjs", import.meta.url).href;
/** Two steps of the guide, then twelve of the student, of which every third is validated and saved. */
const train = ["train", ...tiny.slice(2), "--steps", "12", "--validate-every", "3", "--no-baseline", "--folder", "run"];

const results = (cwd: string) => {
  const folder = join(cwd, "run", "guided");
  const { state, tensors } = JSON.parse(readFileSync(join(folder, "last.json"), "utf8"));
  const metrics = readMetrics(join(folder, "metrics.jsonl"));
  const records = metrics.map(({ seconds: _seconds, dataSeconds: _data, ...record }) => record);
  return { step: state.step, weights: tensors.sha256, records };
};

/** What is wrong in a run, without the warnings that Dawn prints at every start. */
const errors = (stderr: string) => stderr.split("\n").filter((line) => line !== "" && !line.startsWith("Warning: "));

const NONE = "there is no checkpoint yet";
const STANDS = (step: number) => `the checkpoint of step ${step} in "run/guided" stands`;

describe.skipIf(!opened)("a device that is lost", () => {
  const whole = fresh();
  beforeAll(async () => {
    const { status, output } = await guidance(train, { cwd: whole });
    expect(status, output).toBe(0);
  });

  test.each([
    ["while a kernel is made", "src/runner.ts 3 compile unknown", "guide, before the first step", NONE],
    ["during a step of the guide", "train/step.ts 2 readback destroyed", "guide, step 2", NONE],
    ["while the guide is saved", "train/state.ts 20 readback unknown", "guide, saving after step 2", NONE],
    ["before a step", "train/step.ts 10 submit destroyed", "guided, step 8", STANDS(6)],
    ["during a step", "train/step.ts 10 readback unknown", "guided, step 8", STANDS(6)],
    ["during an evaluation", "train/evaluate.ts 4 readback destroyed", "guided, validation after step 9", STANDS(6)],
  ])("%s ends the run, which goes on from there", async (_when, loss, where, checkpoint) => {
    const cwd = fresh();
    const env = { NODE_OPTIONS: `--import ${preload}`, LOSE_DEVICE: loss };
    const { status, stderr } = await guidance(train, { cwd, env });
    const reason = loss.endsWith("unknown") ? "The graphics driver was reset" : ".*destroyed.*";
    expect(status).toBe(1);
    expect(errors(stderr)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^error: training ${where}: the device was lost \\(${reason}\\): .*; ${checkpoint}\\. ` +
            "Its driver .* try again.* Go on with: guidance train --resume run$",
        ),
      ),
    ]);
    const resumed = await guidance(["train", "--resume", "run"], { cwd });
    expect(resumed.status, resumed.output).toBe(0);
    expect(results(cwd)).toEqual(results(whole));
  });

  test("while the test images are scored loses nothing of the training", async () => {
    const cwd = fresh();
    // the guide's scores, four validations, and then the student's
    const env = { NODE_OPTIONS: `--import ${preload}`, LOSE_DEVICE: "train/evaluate.ts 6 readback unknown" };
    const { status, stderr } = await guidance(train, { cwd, env });
    expect(status).toBe(1);
    expect(errors(stderr)).toEqual([
      expect.stringMatching(/^error: scoring on "synthetic test": the device was lost .* guidance train --resume run$/),
    ]);
    expect(results(cwd)).toEqual(results(whole));
    const resumed = await guidance(["train", "--resume", "run"], { cwd });
    expect(resumed.status, resumed.output).toBe(0);
    expect(results(cwd)).toEqual(results(whole));
  });
});
