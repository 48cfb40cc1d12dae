/** The figures of runs: curves of both students and of several runs together, and layers over time, one map a student. */
import type { ArmHistory } from "@guidance/guidance";
import type { Axis } from "./axis.ts";
import { type FigureRun, studentsOf } from "./figure-run.ts";
import { gradientMaps, similarityMaps } from "./layer-maps.ts";
import { lineChartSvg, type Series } from "./line-chart.ts";
import { lookOf } from "./look.ts";

type Point = readonly [step: number, value: number];

interface Curve {
  readonly title: string;
  readonly y: Axis;
  /** A few points, each of its own, rather than one a step. */
  readonly dots?: boolean;
  points(student: ArmHistory, run: FigureRun): readonly Point[];
}

const curves = {
  loss: {
    title: "Loss",
    y: { title: "loss", scale: "log" },
    points: ({ steps }) => steps.map(({ step, loss }) => [step, loss]),
  },
  "cross-entropy": {
    title: "Cross-entropy",
    y: { title: "cross-entropy" },
    points: ({ steps }) => steps.map(({ step, crossEntropy }) => [step, crossEntropy]),
  },
  similarity: {
    title: "Similarity to the guide, mean of the paired layers",
    y: { title: "similarity", includes: [0, 1] },
    points: ({ steps, inspections }) => {
      const guided = steps.filter(({ pairs }) => pairs > 0);
      if (guided.length > 0) return guided.map(({ step, dissimilarity, pairs }) => [step, 1 - dissimilarity / pairs]);
      const seen = inspections.filter(({ similarities }) => similarities.length > 0);
      return seen.map(({ step, similarities }) => [step, mean(similarities.map(({ similarity }) => similarity))]);
    },
  },
  accuracy: {
    title: "Validation accuracy (top-1)",
    y: { title: "% of the images", includes: [0] },
    dots: true,
    points: ({ validations }) => validations.map(({ step, top1 }) => [step, 100 * top1]),
  },
  "learning-rate": {
    title: "Learning rate",
    y: { title: "learning rate", includes: [0] },
    points: ({ steps }) => steps.map(({ step, learningRate }) => [step, learningRate]),
  },
  speed: {
    title: "Speed, waiting for data included",
    y: { title: "images/s", includes: [0] },
    points: ({ steps }, { config }) =>
      steps.map(({ step, seconds, dataSeconds }) => [step, config.batchSize / (seconds + dataSeconds)]),
  },
} satisfies Record<string, Curve>;

const maps = { layers: similarityMaps, gradients: gradientMaps };

export type FigureName = keyof typeof curves | keyof typeof maps;
export const FIGURES = [...Object.keys(curves), ...Object.keys(maps)] as FigureName[];

/** Points from which on a curve is also drawn as a running mean. */
const MANY = 100;

/** The SVGs of a figure: one of curves, or a map of each student; none where the runs have recorded nothing for it. */
export function runFigure(name: FigureName, runs: readonly FigureRun[]): string[] {
  if (name === "layers" || name === "gradients") return maps[name](runs);
  return curveFigure(curves[name], runs);
}

function curveFigure({ title, y, dots = false, points }: Curve, runs: readonly FigureRun[]): string[] {
  const drawn = runs.flatMap((run, number) =>
    studentsOf(run).map((student) => ({
      name: runs.length > 1 ? `${run.name} ${student.arm}` : student.arm,
      ...lookOf(student.arm, number, runs.length),
      points: points(student, run),
    })),
  );
  if (drawn.every((each) => each.points.length === 0)) return [];
  const longest = Math.max(...drawn.map((each) => each.points.length));
  const window = dots || longest < MANY ? 1 : Math.ceil(longest / MANY) * 2 + 1;
  const series = drawn.flatMap((each): Series[] => {
    if (each.points.length === 0) return [];
    // an unguided student has few similarities, those of inspections
    const isSmooth = window > 1 && each.points.length >= MANY;
    if (!isSmooth) return [{ ...each, dots: dots || each.points.length < MANY / 4 }];
    return [
      { ...each, faint: true },
      { ...each, points: runningMean(each.points, window) },
    ];
  });
  const x = { title: window > 1 ? `step (a thick line over a pale one: means of ${window} points)` : "step" };
  return [lineChartSvg({ title, x, y, series })];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Means of what is finite among the points around each. */
function runningMean(points: readonly Point[], window: number): Point[] {
  const half = (window - 1) / 2;
  let [sum, count] = [0, 0];
  const take = (at: number, sign: 1 | -1) => {
    const value = points[at]?.[1] ?? Number.NaN;
    if (!Number.isFinite(value)) return;
    sum += sign * value;
    count += sign;
  };
  for (let i = 0; i < half; i++) take(i, 1);
  return points.map(([step], i) => {
    take(i + half, 1);
    take(i - half - 1, -1);
    return [step, sum / count];
  });
}
