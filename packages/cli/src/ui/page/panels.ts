/** The charts and heat maps of the runs that are selected. */
import { lookOf } from "../../figures/look.ts";
import { shortNames } from "../../figures/names.ts";
import { stepRows, validationRows } from "../protocol.ts";
import { Chart, type ChartSettings, type ChartStyle, type Curve } from "./chart.ts";
import { byId } from "./dom.ts";
import { percent, runName, short } from "./format.ts";
import { LayerMap, normColours, similarityColours } from "./map.ts";
import { ARMS, type Arm, type ArmData, type SeriesData, type State } from "./state.ts";

/** What a chart shows of a network. */
interface Plotted extends ChartSettings {
  /** When its first value comes, where that is not with the first step. */
  readonly missing?: string;
  readonly of: (arm: ArmData) => { readonly data: SeriesData; readonly row: number };
}

const step = (row: (typeof stepRows)[number]): Plotted["of"] => {
  const at = stepRows.indexOf(row);
  return ({ series }) => ({ data: series.steps, row: at });
};
const validation = (row: (typeof validationRows)[number]): Plotted["of"] => {
  const at = validationRows.indexOf(row);
  return ({ series }) => ({ data: series.validations, row: at });
};

const plotted: readonly Plotted[] = [
  { title: "Cross-entropy", note: "training batches", format: short, of: step("crossEntropy") },
  {
    title: "Validation accuracy",
    note: "top-1",
    format: percent,
    greatest: 1,
    missing: "It comes with the first validation of a student",
    of: validation("top1"),
  },
  {
    title: "Similarity to the guide",
    note: "mean over paired layers",
    format: short,
    missing: "It comes with the first step under guidance; without a guide, with the first inspection",
    of: ({ series }) => ({ data: series.similarity, row: 0 }),
  },
  { title: "Loss", note: "cross-entropy + alpha x dissimilarity", format: short, of: step("loss") },
  { title: "Learning rate", note: "", format: short, of: step("learningRate") },
  { title: "Images per second", note: "waiting for data included", format: short, of: step("imagesPerSecond") },
];

/** Fewer points than this are marked. */
const SPARSE = 40;

export interface View {
  readonly state: State;
  readonly ids: readonly string[];
  readonly arms: ReadonlySet<Arm>;
}

export class Panels {
  readonly #charts = plotted.map((each) => ({ ...each, chart: new Chart(each) }));
  #maps = new Map<string, LayerMap>();

  constructor() {
    byId("charts").append(...this.#charts.map(({ chart }) => chart.root));
  }

  show(view: View): void {
    const style = styleOf();
    for (const { chart, of, missing = "It comes with the first step" } of this.#charts) {
      chart.show(curves(view, of), style, view.arms.size > 0 ? missing : "No network is selected");
    }
    this.#showMaps(view, style);
  }

  #showMaps({ state, ids }: View, style: ChartStyle): void {
    const maps = new Map<string, LayerMap>();
    const names = shortNames(ids, runName);
    for (const [index, id] of ids.entries()) {
      const label = ids.length > 1 ? `, ${names[index]}` : "";
      const every = state.details.get(id)?.config.inspectEvery ?? "null";
      const pending =
        every === "null" ? "Train with --inspect-every 100 to see them" : "They come with the first inspection";
      for (const arm of ["guided", "unguided"] as const) {
        const data = state.arm(id, arm);
        // a run without baseline has no such network
        if (arm === "unguided" && state.details.get(id)?.config.baseline === "false") continue;
        const show = (kind: "layers" | "gradients", make: () => LayerMap) => {
          const key = `${kind} ${arm} ${every} ${label} ${id}`;
          const map = this.#maps.get(key) ?? make();
          maps.set(key, map);
          map.show(data?.series[kind], style);
        };
        const wait = arm === "guided" ? "No step under guidance yet" : pending;
        show("layers", () => new LayerMap("Similarity to the guide by layer", arm + label, wait, similarityColours));
        show("gradients", () => new LayerMap("Gradient norm by layer", arm + label, pending, normColours));
      }
    }
    const order = [...maps].sort(([a], [b]) => Number(b.startsWith("layers")) - Number(a.startsWith("layers")));
    const roots = order.map(([, { root }]) => root);
    const host = byId("maps");
    if (roots.length !== host.children.length || roots.some((root, i) => root !== host.children[i]))
      host.replaceChildren(...roots);
    this.#maps = maps;
  }
}

function curves({ state, ids, arms }: View, of: Plotted["of"]): Curve[] {
  const names = shortNames(ids, runName);
  return ids.flatMap((id, index) =>
    ARMS.flatMap((arm) => {
      const found = state.arm(id, arm);
      if (!arms.has(arm) || !found) return [];
      const { data, row } = of(found);
      const [values, low, high] = [data.mean, data.low, data.high].map((table) => table[row] ?? []);
      if (arm === "guide" && values.length === 0) return [];
      const label = ids.length > 1 ? `${arm} ${names[index]}` : arm;
      const isSparse = values.length < SPARSE;
      return [{ label, ...lookOf(arm, index, ids.length), steps: data.steps, values, low, high, isSparse }];
    }),
  );
}

function styleOf(): ChartStyle {
  const style = getComputedStyle(document.documentElement);
  return { text: style.getPropertyValue("--faint"), grid: style.getPropertyValue("--line") };
}
