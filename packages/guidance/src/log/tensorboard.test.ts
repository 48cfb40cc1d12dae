/** Event files as another reader sees them: checksums, fields, restarts, and the runs that write them. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runSmall, runsFolder, smallConfig } from "../train/experiment.test.support.ts";
import { readHistory } from "../train/history.ts";
import { crc32c } from "./crc32c.ts";
import { eventFiles, readEvents, readRecords, shownScalars, slowCrc32c } from "./events.test.support.ts";
import type { LogStart } from "./logger.ts";
import { tensorboardLogger } from "./tensorboard.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "guidance-events-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const runs = runsFolder();
const start = (step = 0): LogStart => ({ folder, arm: "guided", config: {}, step, warn: () => {} });

const stepOf = (step: number) => ({
  ...{ arm: "guided", step, totalSteps: 300, epoch: 0, learningRate: 1e-3, seconds: 0.1, dataSeconds: 0 },
  ...{ loss: 1 / step, crossEntropy: 0.5, dissimilarity: 0.5, pairs: 2, similarities: [0.75, Number.NaN] },
});

/** Trains from `done` to `last` and leaves, with or without the end that a killed process does not come to. */
function log(done: number, last: number): void {
  const logger = tensorboardLogger(start(done));
  logger.layers?.([
    { student: "student.fc0", guide: "a" },
    { student: "student.fc1", guide: "b" },
  ]);
  for (let step = done + 1; step <= last; step++) logger.step?.(stepOf(step));
  logger.validation?.({ arm: "guided", step: last, loss: 2, top1: 0.5, top5: 1, images: 10, best: true });
  logger.close?.();
}

test("CRC-32C has the values of RFC 3720", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7919) >> 3);
  expect(crc32c(bytes)).toBe(slowCrc32c(bytes));
});

test("a file has a version, a start, and the numbers of each step under names of layers", () => {
  log(0, 2);
  const files = eventFiles(folder);
  expect(files).toEqual([expect.stringMatching(/events\.out\.tfevents\.\d{10}\.guidance$/)]);
  const [version, restart, first, second, validation] = readEvents(files[0]);
  expect(version.version).toBe("brain.Event:2");
  expect(restart).toMatchObject({ isRestart: true, step: 0 });
  expect(Math.abs(first.time - Date.now() / 1000)).toBeLessThan(60);
  expect([first.step, second.step, validation.step]).toEqual([1, 2, 2]);
  expect(Object.fromEntries(second.scalars)).toEqual({
    "loss/total": 0.5,
    "loss/cross-entropy": 0.5,
    "loss/similarity": 0.5,
    "similarity/mean": 0.75,
    "similarity/student.fc0": 0.75,
    "similarity/student.fc1": Number.NaN,
    "rate/learning": Math.fround(1e-3),
    "time/step": Math.fround(0.1),
    "time/data": 0,
  });
  expect(validation.scalars).toEqual([
    ["validation/loss", 2],
    ["validation/top-1", 0.5],
    ["validation/top-5", 1],
  ]);
});

test("of a run that went on twice no step shows twice, files being read in the order they were written in", () => {
  log(0, 200);
  log(150, 180);
  log(150, 300);
  expect(eventFiles(folder)).toHaveLength(3);
  const steps = shownScalars(folder)
    .get("loss/total")
    ?.map(([step]) => step);
  expect(steps).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  // the score of step 180 was after the checkpoint
  expect(
    shownScalars(folder)
      .get("validation/top-1")
      ?.map(([step]) => step),
  ).toEqual([300]);
});

test("records of a cut file are those before the cut", () => {
  log(0, 3);
  const bytes = readFileSync(eventFiles(folder)[0]);
  const { payloads, rest } = readRecords(bytes.subarray(0, bytes.length - 5));
  expect(payloads).toHaveLength(5);
  expect(rest).toBeGreaterThan(0);
});

test("a training leaves in each folder what its record has", async () => {
  const run = runs.fresh();
  const config = { ...smallConfig, inspectEvery: 3 };
  await runSmall({
    config,
    folder: run,
    guideCache: runs.cache,
    loggers: new Map([["tensorboard", tensorboardLogger]]),
  });
  for (const { arm, steps, layers, inspections, validations } of (await readHistory(run)).arms) {
    const shown = shownScalars(join(run, arm));
    expect(shown.get("loss/total")).toEqual(steps.map(({ step, loss }) => [step, Math.fround(loss)]));
    expect((shown.get("validation/loss") ?? []).length).toBe(validations.length);
    for (const { student } of layers) expect(shown.get(`similarity/${student}`)).toHaveLength(steps.length);
    const gradients = [...shown].filter(([tag]) => tag.startsWith("gradient/"));
    expect(gradients).toHaveLength(inspections[0]?.gradients.length ?? 0);
    expect(shown.get("test/top-1")?.length).toBe(arm === "guide" ? undefined : 1);
  }
});
