/** Layers over time as heat maps, one a student, all in the same colours: similarity to the guide, and norms of gradients. */
import type { ArmHistory } from "@guidance/guidance";
import { extent } from "./extent.ts";
import { type FigureRun, studentsOf } from "./figure-run.ts";
import { type HeatMap, heatMapSvg, similarityRange } from "./heat-map.ts";

/** Columns of a map; a longer record is averaged into so many. */
const COLUMNS = 60;
/** Size of a map, but for names. */
const [WIDTH, ROW] = [720, 13];
/** Columns of fewer moments are no wider than this. */
const WIDEST = 36;

/** What the layers had at one step, in their order. */
interface Moment {
  readonly step: number;
  readonly values: readonly number[];
}

/** The record of one student. */
interface Recorded {
  readonly layers: readonly string[];
  readonly moments: readonly Moment[];
}

interface Kind {
  readonly title: string;
  record(student: ArmHistory): Recorded;
  legend(run: FigureRun): string;
  range(values: HeatMap["values"]): HeatMap["range"];
}

const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Layers by moments, neighbours averaged where there are too many; the names are those of steps. */
function overTime({ moments, layers }: Recorded): Pick<HeatMap, "values" | "columns" | "cell"> {
  const size = Math.ceil(moments.length / COLUMNS);
  const groups = Array.from({ length: Math.ceil(moments.length / size) }, (_, i) =>
    moments.slice(i * size, (i + 1) * size),
  );
  const values = layers.map((_, layer) =>
    groups.map((group) => average(group.map((moment) => moment.values[layer]).filter(Number.isFinite))),
  );
  const names = groups.map(([{ step }]) => String(step));
  const width = Math.min(WIDEST, Math.floor(WIDTH / groups.length));
  const title = size > 1 ? `from step, ${size} steps each` : "step";
  return { values, columns: { title, names, written: 12 }, cell: { width, height: ROW } };
}

/** Without what all of the names begin with, e.g. `student.`. */
function shortNames(names: readonly string[]): string[] {
  const parts = names.map((name) => name.split("."));
  const most = Math.min(...parts.map(({ length }) => length - 1));
  let shared = 0;
  while (shared < most && parts.every((each) => each[shared] === parts[0][shared])) shared++;
  return parts.map((each) => each.slice(shared).join("."));
}

function draw({ title, record, legend, range }: Kind, runs: readonly FigureRun[]): string[] {
  const drawn = runs.flatMap((run) =>
    studentsOf(run).flatMap((student) => {
      const recorded = record(student);
      if (recorded.moments.length === 0) return [];
      const name = runs.length > 1 ? `${run.name} ${student.arm}` : student.arm;
      const rows = { title: "", names: shortNames(recorded.layers) };
      return [{ ...overTime(recorded), title: `${title}: ${name}`, rows, legend: legend(run) }];
    }),
  );
  const shared = range(drawn.flatMap(({ values }) => values));
  return drawn.map((map) => heatMapSvg({ ...map, range: shared }));
}

/** Similarity of each paired layer: at each step of a guided student, at inspections of an unguided one. */
export const similarityMaps = (runs: readonly FigureRun[]): string[] =>
  draw(
    {
      title: "Similarity of layers to the guide",
      record({ layers, steps, inspections }) {
        const guided = steps.filter(({ similarities }) => similarities.length > 0 && layers.length > 0);
        if (guided.length > 0) {
          const moments = guided.map(({ step, similarities }) => ({ step, values: similarities }));
          return { layers: layers.map(({ student }) => student), moments };
        }
        const looked = inspections.filter(({ similarities }) => similarities.length > 0);
        return {
          layers: (looked[0]?.similarities ?? []).map(({ student }) => student),
          moments: looked.map(({ step, similarities }) => ({
            step,
            values: similarities.map(({ similarity }) => similarity),
          })),
        };
      },
      legend: ({ config }) => config.similarity,
      range: similarityRange,
    },
    runs,
  );

/** Norm of the gradients of each layer at inspections, as a power of ten. */
export const gradientMaps = (runs: readonly FigureRun[]): string[] =>
  draw(
    {
      title: "Gradient norms of layers",
      record({ inspections }) {
        const layers = (inspections[0]?.gradients ?? []).map(({ layer }) => layer);
        // a layer without any gradient has no logarithm, and no colour
        const moments = inspections.map(({ step, gradients }) => ({
          step,
          values: gradients.map(({ norm }) => Math.log10(norm)),
        }));
        return { layers, moments };
      },
      legend: () => "log10 of the norm; a layer without gradient has no colour",
      range(values) {
        const [low, high] = extent(values.flat()) ?? [0, 1];
        return low < high ? [low, high] : [low - 1, low + 1];
      },
    },
    runs,
  );
