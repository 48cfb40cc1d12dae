/** Layers over time as heat maps: similarity to the guide, and norms of gradients. */
import type { ArmHistory } from "@guidance/guidance";
import { type FigureRun, studentsOf } from "./figure-run.ts";
import { type HeatMap, heatMapSvg, similarityRange } from "./heat-map.ts";

/** Columns of a map; a longer record is averaged into so many. */
const COLUMNS = 60;

/** What the layers had at one step, in their order. */
interface Moment {
  readonly step: number;
  readonly values: readonly number[];
}

/** Layers by moments, neighbours averaged where there are too many; the names are those of steps. */
function overTime(moments: readonly Moment[], layers: number): Pick<HeatMap, "values" | "columns"> {
  const size = Math.ceil(moments.length / COLUMNS);
  const groups = Array.from({ length: Math.ceil(moments.length / size) }, (_, i) =>
    moments.slice(i * size, (i + 1) * size),
  );
  const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const values = Array.from({ length: layers }, (_, layer) =>
    groups.map((group) => average(group.map((moment) => moment.values[layer]).filter(Number.isFinite))),
  );
  const names = groups.map((group) => String(group[0].step));
  return { values, columns: { title: size > 1 ? `from step, ${size} steps each` : "step", names, written: 12 } };
}

const titleOf = (what: string, run: FigureRun, { arm }: ArmHistory, several: boolean) =>
  `${what}: ${several ? `${run.name} ` : ""}${arm}`;

/** Without what all of the names begin with, e.g. `student.`. */
function shortNames(names: readonly string[]): string[] {
  const parts = names.map((name) => name.split("."));
  const most = Math.min(...parts.map(({ length }) => length - 1));
  let shared = 0;
  while (shared < most && parts.every((each) => each[shared] === parts[0][shared])) shared++;
  return parts.map((each) => each.slice(shared).join("."));
}

/** Similarity of each paired layer: at each step of a guided student, at inspections of an unguided one. */
export function similarityMaps(run: FigureRun, several: boolean): string[] {
  return studentsOf(run).flatMap((student) => {
    const { layers, steps, inspections } = student;
    const guided = steps.filter(({ similarities }) => similarities.length > 0 && similarities.length === layers.length);
    const looked = inspections.filter(({ similarities }) => similarities.length > 0);
    const moments: Moment[] =
      guided.length > 0
        ? guided.map(({ step, similarities }) => ({ step, values: similarities }))
        : looked.map(({ step, similarities }) => ({ step, values: similarities.map(({ similarity }) => similarity) }));
    const names = guided.length > 0 ? layers : (looked[0]?.similarities ?? []);
    if (moments.length === 0) return [];
    const drawn = overTime(moments, names.length);
    return [
      heatMapSvg({
        ...drawn,
        title: titleOf("Similarity of layers to the guide", run, student, several),
        rows: { title: "", names: shortNames(names.map((pair) => pair.student)) },
        legend: run.config.similarity,
        range: similarityRange(drawn.values),
      }),
    ];
  });
}

/** Norm of the gradients of each layer at inspections, as a power of ten. */
export function gradientMaps(run: FigureRun, several: boolean): string[] {
  return studentsOf(run).flatMap((student) => {
    const moments = student.inspections
      .filter(({ gradients }) => gradients.length > 0)
      // a layer without any gradient has no logarithm, and no colour
      .map(({ step, gradients }) => ({ step, values: gradients.map(({ norm }) => Math.log10(norm)) }));
    if (moments.length === 0) return [];
    const names = student.inspections.find(({ gradients }) => gradients.length > 0)?.gradients ?? [];
    const drawn = overTime(moments, names.length);
    const known = drawn.values.flat().filter(Number.isFinite);
    const [low, high] = known.length > 0 ? [Math.min(...known), Math.max(...known)] : [0, 1];
    return [
      heatMapSvg({
        ...drawn,
        title: titleOf("Gradient norms of layers", run, student, several),
        rows: { title: "", names: shortNames(names.map(({ layer }) => layer)) },
        legend: "norm of the gradient, log10",
        range: low < high ? [low, high] : [low - 1, low + 1],
      }),
    ];
  });
}
