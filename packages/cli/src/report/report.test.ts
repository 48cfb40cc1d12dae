import { PassThrough } from "node:stream";
import { defaultConfig, type ExperimentResult } from "@guidance/guidance";
import { expect, test } from "vitest";
import { duration, percent, table } from "./format.ts";
import { progressObserver } from "./progress.ts";
import { openScreen } from "./screen.ts";
import { caveats, resultTable } from "./summary.ts";

test("numbers", () => {
  expect([0.312, 4.26, 48.4, 185, 4000].map(duration)).toEqual(["0.31 s", "4.3 s", "48 s", "3 min 05 s", "1 h 6 min"]);
  expect(percent(0.5914)).toBe("59.1 %");
  expect(
    table([
      ["a", "top-1"],
      ["long", "5"],
    ]),
  ).toBe("a      top-1\nlong       5");
});

const scores = { loss: 1.25, top1: 0.59, top5: 0.9, images: 2000 };
const arm = {
  arm: "guided",
  steps: 300,
  secondsPerStep: 0.3,
  test: scores,
  testAtBest: scores,
  bestStep: 200,
} as const;
const result: ExperimentResult = { arms: [arm], guide: { ...scores, origin: "random" }, adapter: "cpu float32" };

test("the table has last and best weights of each student, and the guide", () => {
  const cells = resultTable(result, 61)
    .split("\n")
    .map((line) => line.trimEnd().split(/ {2,}/));
  expect(cells).toEqual([
    ["on the test images", "top-1", "top-5", "loss", "time/step"],
    ["student with guide, last weights (step 300)", "59.0 %", "90.0 %", "1.2500", "0.30 s"],
    ["student with guide, best validation (step 200)", "59.0 %", "90.0 %", "1.2500"],
    ["the guide itself (random weights)", "59.0 %", "90.0 %", "1.2500"],
    [""],
    ["adapter cpu float32, 1 min 01 s in all"],
  ]);
});

test("no more is claimed than a run shows", () => {
  const demo = caveats({ ...defaultConfig, seed: 7 }).join("\n");
  for (const part of ["learning rate (0.001)", "3e-3", "seen labels (200 steps", "random weights (--guide-steps 0"])
    expect(demo).toContain(part);
  // numbers of the demonstration belong to it alone
  expect(caveats({ ...defaultConfig, steps: 400 }).join("\n")).not.toMatch(/3e-3|PyTorch/);
  expect(caveats({ ...defaultConfig, baseline: false, guide: { ...defaultConfig.guide, steps: 0 } })).toEqual([]);
});

/** What is written to a screen that is a terminal or not. */
function shown(isTTY: boolean): string {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 120 }) as unknown as NodeJS.WriteStream;
  const screen = openScreen(stream);
  const observer = progressObserver(screen);
  for (let step = 1; step <= 3; step++) {
    const losses = { loss: 9, crossEntropy: 2, dissimilarity: 7, pairs: 14, similarities: [], learningRate: 1e-3 };
    observer.step?.({ arm: "guided", step, totalSteps: 3, epoch: 0, seconds: 0.25, dataSeconds: 0.01, ...losses });
  }
  observer.validation?.({ arm: "guided", step: 3, ...scores, best: true });
  screen.close();
  return String((stream as unknown as PassThrough).read());
}

test("progress is lines in a file and a bar on a terminal", () => {
  const lines = shown(false).split("\n");
  expect(lines).toEqual([
    expect.stringMatching(
      /^guided {3}1\/3 {2}loss 9\.0000 {2}CE 2\.0000 {2}similarity 0\.5000 {2}0\.25 s\/step {2}data 0\.01 s {2}ETA \?$/,
    ),
    expect.stringMatching(/^guided {3}3\/3 .*ETA 0\.00 s$/),
    "guided: validation after step 3: loss 1.2500, top-1 59.0 %, top-5 90.0 %, best so far",
    "",
  ]);
  expect(shown(true)).toMatch(/validation after step 3: .*\n.*guided +█+ 3\/3 .*similarity 0\.5000/s);
});
