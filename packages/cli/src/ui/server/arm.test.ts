import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ArmRecord } from "./arm.ts";

const folder = mkdtempSync(join(tmpdir(), "guidance-ui-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = () => join(folder, `${++files}.jsonl`);

const stepLine = (step: number, loss: number | string = step, totalSteps = 100) =>
  `${JSON.stringify({ kind: "step", step, totalSteps, epoch: 0, learningRate: 0.01, seconds: 0.09, dataSeconds: 0.01, loss, crossEntropy: 2, similarities: [0.2, 0.4] })}\n`;
const layers = `${JSON.stringify({ kind: "layers", layers: [{ student: "a" }, { student: "b" }] })}\n`;

test("reads on while the file grows, and leaves a torn line until it is whole", async () => {
  const path = fresh();
  const arm = new ArmRecord(32);
  const torn = stepLine(2);
  writeFileSync(path, layers + stepLine(1, "NaN") + torn.slice(0, 40));
  await arm.read(path, 1);
  expect(arm.since(0)).toMatchObject({
    progress: { step: 1, totalSteps: 100 },
    series: {
      steps: { steps: [1], mean: [[null], [2], [0.01], [320]] },
      layers: { rows: ["a", "b"], mean: [[0.2], [0.4]] },
    },
  });
  appendFileSync(path, torn.slice(40));
  await arm.read(path, 2);
  const { progress, series } = arm.since(1)!;
  expect(progress).toMatchObject({ step: 2, eta: 9.8, imagesPerSecond: 320 });
  expect(series.steps).toMatchObject({ from: 1, steps: [2] });
  expect(series.similarity?.mean[0][0]).toBeCloseTo(0.3);
  expect(arm.problem).toBeUndefined();
});

test("a resumed run, whose file was replaced by a shorter one, begins anew", async () => {
  const path = fresh();
  const arm = new ArmRecord(32);
  writeFileSync(path, stepLine(1) + stepLine(2) + stepLine(3));
  await arm.read(path, 1);
  writeFileSync(`${path}.new`, stepLine(1) + stepLine(2, 7) + stepLine(3, 8) + stepLine(4, 9));
  renameSync(`${path}.new`, path);
  await arm.read(path, 2);
  expect(arm.since(1)?.series.steps).toMatchObject({
    from: 0,
    steps: [1, 2, 3, 4],
    mean: [[1, 7, 8, 9], [], [], []].map((x, i) => (i ? expect.anything() : x)),
  });
});

test("damaged lines are named in one line and left out", async () => {
  const path = fresh();
  const arm = new ArmRecord(32);
  writeFileSync(path, `${stepLine(1)}{"kind":"st\n[]\n${stepLine(2)}`);
  await arm.read(path, 1);
  expect(arm.problem).toBe("2 lines are damaged and left out, the first is line 2");
  expect(arm.since(0)?.progress?.step).toBe(2);
});

test("200,000 steps become a few columns", async () => {
  const path = fresh();
  const count = 200_000;
  writeFileSync(path, layers);
  for (let from = 1; from <= count; from += 20_000) {
    appendFileSync(path, Array.from({ length: 20_000 }, (_, i) => stepLine(from + i, 1, count)).join(""));
  }
  const arm = new ArmRecord(32);
  let turns = 1;
  while (await arm.read(path, turns)) turns++;
  expect(turns).toBeGreaterThan(1);
  const { progress, series } = arm.since(0)!;
  expect(progress?.step).toBe(count);
  expect(series.steps?.steps.length).toBeLessThanOrEqual(1000);
  expect(series.steps?.steps.at(-1)).toBe(count);
  expect(series.layers?.steps.length).toBeLessThanOrEqual(240);
  expect(JSON.stringify(series).length).toBeLessThan(500_000);
}, 30_000);
