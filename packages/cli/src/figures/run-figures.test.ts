/** Figures of records made up here: which curves and maps there are, and what they average. */
import { type ArmHistory, defaultConfig } from "@guidance/guidance";
import { expect, test } from "vitest";
import type { FigureRun } from "./figure-run.ts";
import { FIGURES, runFigure } from "./run-figures.ts";

const pairs = [0, 1, 2].map((i) => ({ student: `student.fc${i}`, guide: `guide.conv${i}` }));

function student(arm: "guided" | "unguided", count: number, inspectEvery: number): ArmHistory {
  const guided = arm === "guided";
  const steps = Array.from({ length: count }, (_, i) => ({
    ...{ arm, step: i + 1, totalSteps: count, epoch: 0, learningRate: 1e-3, seconds: 0.5, dataSeconds: 0.5 },
    ...{ loss: i === 5 ? Number.NaN : 3 / (i + 1), crossEntropy: 1, dissimilarity: guided ? 1.5 : 0 },
    ...{ pairs: guided ? 3 : 0, similarities: guided ? [0.25, 0.5, 0.75] : [] },
  }));
  const inspections = steps
    .filter(({ step }) => step % inspectEvery === 0)
    .map(({ step }) => ({
      ...{ arm, step, similarities: pairs.map((pair) => ({ ...pair, similarity: 0.1 })) },
      gradients: pairs.map(({ student: layer }, i) => ({ layer, norm: i === 0 ? 0 : 10 ** -i })),
    }));
  const validations = [{ arm, step: count, loss: 1, top1: 0.4, top5: 0.9, images: 10, best: true }];
  return { arm, layers: guided ? pairs : [], steps, validations, inspections };
}

const run = (name: string, arms: readonly ArmHistory[]): FigureRun => ({
  name,
  config: defaultConfig,
  history: { folder: name, arms, summary: undefined },
});
const both = run("one", [student("guided", 150, 10), student("unguided", 150, 10)]);
const texts = (svg: string) => [...svg.matchAll(/>([^<>]+)<\/text>/g)].map(([, text]) => text);

test("each figure has both students of a run", () => {
  for (const name of FIGURES) {
    const svgs = runFigure(name, [both]);
    expect(svgs, name).toHaveLength(name === "layers" || name === "gradients" ? 2 : 1);
    for (const arm of ["guided", "unguided"]) expect(svgs.join(), name).toMatch(new RegExp(`>[^<]*\\b${arm}</text>`));
    expect(svgs.join(), name).not.toMatch(/="[^"]*(NaN|undefined|Infinity)/);
  }
});

test("several runs have names, and lie in one chart", () => {
  const [loss] = runFigure("loss", [both, { ...both, name: "two" }]);
  expect(texts(loss)).toEqual(expect.arrayContaining(["one guided", "one unguided", "two guided", "two unguided"]));
  expect(runFigure("layers", [both, { ...both, name: "two" }])).toHaveLength(4);
});

test("what was not recorded has no figure", () => {
  for (const name of FIGURES) expect(runFigure(name, [run("new", [])])).toEqual([]);
  const without = run("plain", [student("unguided", 4, 9)]);
  expect(runFigure("gradients", [without])).toEqual([]);
  expect(runFigure("layers", [without])).toEqual([]);
  expect(runFigure("similarity", [without])).toEqual([]);
  expect(runFigure("loss", [without])).toHaveLength(1);
});

test("a long curve is drawn with its running mean, and a loss that was not finite is marked", () => {
  const [loss] = runFigure("loss", [both]);
  expect(loss).toContain('stroke-opacity="0.35"');
  expect(texts(loss)).toContain("step (a thick line over a pale one: means of 5 points)");
  expect(loss).toContain("<title>guided, 6: NaN</title>");
});

test("a map has at most 60 columns, averages, short names, and one range for all students", () => {
  const [guided, unguided] = runFigure("layers", [both]);
  expect(guided.match(/<title>fc0, /g)).toHaveLength(50);
  expect(guided).toContain("<title>fc1, 4: 0.5000</title>");
  expect(texts(guided)).toContain("from step, 3 steps each");
  expect(unguided.match(/<title>fc0, /g)).toHaveLength(15);
  const [gradients] = runFigure("gradients", [both]);
  expect(gradients).toContain("<title>fc2, 10: -2.0000</title>");
  expect(gradients).toContain('fill="none"><title>fc0, 10: not finite</title>');
});

test("maps of many layers are drawn, too", () => {
  const layers = Array.from({ length: 2500 }, (_, i) => ({ layer: `student.fc${i}`, norm: 10 ** -(i % 3) }));
  const deep = student("unguided", 60, 1);
  const inspections = deep.inspections.map((each) => ({ ...each, gradients: layers }));
  const [svg] = runFigure("gradients", [run("deep", [{ ...deep, inspections }])]);
  expect(svg.includes("<title>fc2498, 60: -2.0000<")).toBe(true);
});

test("a long record is a small file", () => {
  const [svg] = runFigure("cross-entropy", [run("long", [student("guided", 20_000, 1e9)])]);
  expect(svg.length).toBeLessThan(100_000);
});
