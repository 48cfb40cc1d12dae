/** A panel with curves over steps: a legend that tells the values under the cursor, and a band where a point is several steps. */
import uPlot from "uplot";
import type { Look } from "../../figures/look.ts";
import { element, setText, swatch } from "./dom.ts";

/** One line of a chart. */
export interface Curve extends Look {
  readonly label: string;
  readonly steps: readonly number[];
  readonly values: readonly (number | null)[];
  readonly low?: readonly (number | null)[];
  readonly high?: readonly (number | null)[];
  /** Few and far between: each is marked. */
  readonly isSparse?: boolean;
}

export interface ChartStyle {
  readonly text: string;
  readonly grid: string;
}

export interface ChartSettings {
  readonly title: string;
  readonly note: string;
  readonly format: ValueFormat;
  /** The greatest value that there can be. */
  readonly greatest?: number;
}

export type ValueFormat = (value: number | null | undefined) => string;

/** Charts move their cursors together. */
const CURSORS = uPlot.sync("step");

const [HEIGHT, PHONE] = [220, 190];

export class Chart {
  readonly root: HTMLElement;
  readonly #format: ValueFormat;
  readonly #greatest: number;
  readonly #legend = element("div", { class: "legend" });
  readonly #plot: HTMLElement;
  readonly #missing = element("p", { class: "missing" });
  #uplot: uPlot | undefined;
  #curves: readonly Curve[] = [];
  #values: HTMLElement[] = [];
  /** What the plot was made for; it is made anew only for another. */
  #shape = "";

  constructor({ title, note, format, greatest = Infinity }: ChartSettings) {
    this.#format = format;
    this.#greatest = greatest;
    this.#plot = element("div", { class: "plot", tabindex: "0", role: "img", "aria-label": `${title} over steps` });
    const heading = element("h2", {}, title, " ", element("small", {}, note));
    this.root = element("article", { class: "panel chart" }, heading, this.#legend, this.#plot, this.#missing);
    this.#plot.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#resize()).observe(this.#plot);
  }

  /** Shows `curves`; those without points are named, and have no line yet. Where none has any, `missing` says why. */
  show(curves: readonly Curve[], style: ChartStyle, missing: string): void {
    this.#curves = curves;
    const isMissing = curves.every(({ steps }) => steps.length === 0);
    this.#plot.hidden = isMissing;
    this.#missing.hidden = !isMissing;
    setText(this.#missing, missing);
    const shape = JSON.stringify([
      style,
      curves.map(({ label, colour, dash, isSparse }) => [label, colour, dash, isSparse]),
    ]);
    const data = joined(curves);
    if (shape === this.#shape && this.#uplot) this.#uplot.setData(data);
    else this.#make(data, style);
    this.#shape = shape;
    this.#read();
  }

  #make(data: uPlot.AlignedData, { text, grid }: ChartStyle): void {
    this.#uplot?.destroy();
    this.#values = this.#curves.map(() => element("b", {}, "–"));
    this.#legend.replaceChildren(
      ...this.#curves.map(({ label, colour, dash }, i) =>
        element("span", {}, swatch(colour, dash), label, " ", this.#values[i]),
      ),
    );
    const axis = {
      stroke: text,
      grid: { stroke: grid, width: 1 },
      ticks: { stroke: grid, width: 1, size: 4 },
      font: "11px system-ui",
    };
    const options: uPlot.Options = {
      width: Math.max(120, this.#plot.clientWidth),
      height: this.#height,
      legend: { show: false },
      scales: {
        y: {
          range: (_, least, most) => {
            const [low, high] = uPlot.rangeNum(least ?? 0, most ?? 1, 0.1, true);
            return [low ?? 0, Math.min(high ?? 1, this.#greatest)];
          },
        },
        x: { time: false, range: (_, least, most) => [least ?? 0, most === least ? (most ?? 0) + 1 : (most ?? 1)] },
      },
      cursor: { sync: { key: CURSORS.key }, points: { size: 6 }, drag: { x: true, y: false } },
      axes: [
        {
          ...axis,
          size: 28,
          gap: 3,
          values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick.toLocaleString("en") : "")),
        },
        { ...axis, size: 54, gap: 3, values: (_, ticks) => ticks.map((tick) => this.#format(tick)) },
      ],
      series: [{}, ...this.#curves.flatMap(lines)],
      bands: this.#curves.map(({ colour }, i) => ({ series: [3 + 3 * i, 2 + 3 * i], fill: `${colour}2e` })),
      hooks: { setCursor: [() => this.#read()] },
    };
    this.#uplot = new uPlot(options, data, this.#plot);
  }

  get #height(): number {
    return window.matchMedia("(max-width: 760px)").matches ? PHONE : HEIGHT;
  }

  #resize(): void {
    this.#uplot?.setSize({ width: Math.max(120, this.#plot.clientWidth), height: this.#height });
  }

  /** Left and right move the cursor by a point. */
  #key(event: KeyboardEvent): void {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const plot = this.#uplot;
    if (by === undefined || !plot || plot.data[0].length === 0) return;
    event.preventDefault();
    const last = plot.data[0].length - 1;
    const at = Math.min(last, Math.max(0, (plot.cursor.idx ?? last) + by));
    plot.setCursor({ left: plot.valToPos(plot.data[0][at], "x"), top: 10 });
  }

  /** The values under the cursor, or the last ones. */
  #read(): void {
    const at = this.#uplot?.cursor.idx;
    const step = at === undefined || at === null ? undefined : this.#uplot?.data[0][at];
    this.#curves.forEach(({ steps, values }, i) => {
      if (this.#values[i]) setText(this.#values[i], this.#format(valueAt(steps, values, step)));
    });
  }
}

/** The value of the last point up to `step`; of the last of all without one. */
function valueAt(steps: Curve["steps"], values: Curve["values"], step: number | undefined): number | null | undefined {
  const at = step === undefined ? steps.length - 1 : steps.findLastIndex((each) => each <= step);
  return values[at];
}

/** Mean, least and greatest of each curve over all steps that any of them has. */
function joined(curves: readonly Curve[]): uPlot.AlignedData {
  const tables = curves.map(({ steps, values, low = values, high = values }) => [steps, values, low, high]);
  if (tables.length === 0) return [[]];
  return uPlot.join(tables as uPlot.AlignedData[]);
}

function lines({ label, colour, dash, isSparse = false }: Curve): uPlot.Series[] {
  const edge = { label, stroke: "transparent", width: 0, points: { show: false }, spanGaps: true };
  const points = { show: isSparse, size: 5, fill: colour };
  return [{ label, stroke: colour, width: 1.75, dash: [...dash], spanGaps: true, points }, edge, edge];
}
