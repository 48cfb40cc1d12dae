import { PassThrough } from "node:stream";
import { defaultConfig, type ExperimentResult } from "@guidance/guidance";
import { expect, test, vi } from "vitest";
import { duration, percent, table } from "./format.ts";
import { Output, type OutputOptions } from "./output.ts";
import { patientProgress } from "./patience.ts";
import { progressObserver } from "./progress.ts";
import { openScreen } from "./screen.ts";
import { badImagesLines, caveats, resultTable, sparklines } from "./summary.ts";

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
const result: ExperimentResult = {
  arms: [arm],
  guide: { ...scores, origin: "random" },
  adapter: "cpu float32",
  badImages: 0,
};

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

test("bad images are counted in a line, where there are any", () => {
  expect([0, 1, 12].flatMap(badImagesLines)).toEqual([
    "1 bad image was skipped: replaced by others, or left out of scores",
    "12 bad images were skipped: replaced by others, or left out of scores",
  ]);
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
      /^guided {4}1\/3 {2}loss 9\.0000 {2}CE 2\.0000 {2}similarity 0\.5000 {2}0\.25 s\/step {2}data 0\.01 s {2}ETA \?$/,
    ),
    expect.stringMatching(/^guided {4}3\/3 .*ETA 0\.00 s$/),
    "guided: validation after step 3: loss 1.2500, top-1 59.0 %, top-5 90.0 %, best so far",
    "",
  ]);
  expect(shown(true)).toMatch(/validation after step 3: .*\n.*guided +█+ 3\/3 .*similarity 0\.5000/s);
});

test("a long label stands apart from what is done", () => {
  const stream = Object.assign(new PassThrough(), { isTTY: false }) as unknown as NodeJS.WriteStream;
  openScreen(stream).progress({ label: "self-test", done: 50, total: 50, detail: "" });
  expect(String((stream as unknown as PassThrough).read())).toMatch(/^self-test 50\/50 /);
});

test("the time left is told of each thing by its own pace, and begins anew where the thing does", async () => {
  const stream = Object.assign(new PassThrough(), { isTTY: false }) as unknown as NodeJS.WriteStream;
  const screen = openScreen(stream);
  const moment = (label: string, done: number) => screen.progress({ label, done, total: 4, detail: "" });
  for (const [label, done] of [
    ["a", 1],
    ["b", 1],
    ["a", 2],
    ["b", 2],
    ["a", 1],
    ["a", 4],
  ] as const)
    moment(label, done);
  const etas = String((stream as unknown as PassThrough).read()).match(/ETA .*/g);
  expect(etas).toEqual([
    "ETA ?",
    "ETA ?",
    expect.stringMatching(/^ETA 0\.00 s$/),
    expect.stringMatching(/^ETA 0\.00 s$/),
    "ETA ?",
    "ETA 0.00 s",
  ]);
});

test("work that is over in a moment shows nothing, and what lasts how far it is", () => {
  const clock = vi.spyOn(performance, "now");
  const seen: number[] = [];
  const progress = patientProgress({ progress: ({ done }) => seen.push(done) });
  const moment = (milliseconds: number, done: number) => {
    clock.mockReturnValue(milliseconds);
    progress({ label: "scoring", done, total: 9, detail: "" });
  };
  moment(0, 1);
  moment(1900, 2);
  moment(2100, 3);
  expect(seen).toEqual([3]);
  // another one
  moment(2200, 1);
  moment(4100, 5);
  moment(9000, 9);
  expect(seen).toEqual([3, 9]);
  clock.mockRestore();
});

/** What goes to standard output and standard error. */
function told(options: OutputOptions): { out: string; err: string } {
  const streams = [0, 1].map(() =>
    Object.assign(new PassThrough(), { isTTY: false }),
  ) as unknown as NodeJS.WriteStream[];
  const output = new Output(options, streams[0], streams[1] as typeof process.stderr);
  output.line("a line");
  output.detail("a detail");
  output.progress({ label: "work", done: 1, total: 2, detail: "half" });
  output.record({ kind: "step" });
  output.result("the result", { top1: 0.5 });
  output.close();
  const [out, err] = streams.map((stream) => String((stream as unknown as PassThrough).read() ?? ""));
  return { out, err };
}

test("people get lines, as many as they ask for, and machines JSON alone", () => {
  const progress = "work      1/2  half  ETA ?\n";
  expect(told({})).toEqual({ out: `a line\n${progress}the result\n`, err: "" });
  expect(told({ quiet: true })).toEqual({ out: "the result\n", err: "" });
  expect(told({ verbose: true })).toEqual({ out: `a line\na detail\n${progress}the result\n`, err: "" });
  expect(told({ json: true })).toEqual({ out: '{"kind":"step"}\n{"top1":0.5}\n', err: `a line\n${progress}` });
  expect(told({ json: true, quiet: true })).toEqual({ out: '{"kind":"step"}\n{"top1":0.5}\n', err: "" });
});

test("accuracy over a run is a bar for each validation, on one scale, and fits a line", () => {
  const history = (arm: "guided" | "unguided", top1: readonly number[]) => ({
    arm,
    layers: [],
    steps: [],
    inspections: [],
    validations: top1.map((each, i) => ({ ...scores, arm, step: i, best: false, top1: each })),
  });
  expect(sparklines([history("guided", [0, 0.1, 0.4, 0.8]), history("unguided", [0.1, 0.2])]).split("\n")).toEqual([
    expect.stringMatching(/^validation top-1 /),
    expect.stringMatching(/^guided +▁▂▅█ +0\.0 % to 80\.0 %$/),
    expect.stringMatching(/^unguided +▂▃ +10\.0 % to 20\.0 %$/),
  ]);
  const long = sparklines([
    history(
      "guided",
      Array.from({ length: 1000 }, (_, i) => i / 1000),
    ),
  ]).split("\n")[1];
  expect(long.length).toBeLessThan(110);
  expect(long).toContain("█");
  expect(sparklines([history("guided", [])])).toBe("");
});
