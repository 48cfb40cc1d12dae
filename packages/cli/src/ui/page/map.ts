/** A panel with layers over time as colours. Pointer, touch or arrow keys tell the value of a place. */
import { extent } from "../../figures/extent.ts";
import { similarityRange } from "../../figures/heat-map.ts";
import { viridis } from "../../figures/viridis.ts";
import type { ChartStyle } from "./chart.ts";
import { element, setText } from "./dom.ts";
import { layerName, short } from "./format.ts";
import type { SeriesData } from "./state.ts";

export interface Colouring {
  /** What of a value its colour stands for. */
  readonly of: (value: number) => number;
  /** That of the first and of the last colour. */
  readonly range: (data: SeriesData) => Range;
  readonly text: (end: number) => string;
}

type Range = readonly [low: number, high: number];

/** Pixels around the colours: numbers of the layers, the legend, the steps. */
const [LEFT, RIGHT, TOP, BOTTOM] = [28, 58, 6, 22];

export class LayerMap {
  readonly root: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #readout = element("p", { class: "readout", "aria-live": "polite" });
  readonly #missing = element("p", { class: "missing" });
  readonly #colouring: Colouring;
  #data: SeriesData | undefined;
  #style: ChartStyle = { text: "", grid: "" };
  #at: { row: number; column: number } | undefined;

  constructor(title: string, note: string, missing: string, colouring: Colouring) {
    this.#colouring = colouring;
    this.#canvas = element("canvas", { tabindex: "0", role: "img", "aria-label": `${title}, ${note}` });
    setText(this.#missing, missing);
    const heading = element("h2", {}, title, " ", element("small", {}, note));
    this.root = element("article", { class: "panel map" }, heading, this.#readout, this.#canvas, this.#missing);
    this.#canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.#canvas.addEventListener("pointerdown", (event) => this.#point(event));
    this.#canvas.addEventListener("pointerleave", () => this.#look(undefined));
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
  }

  show(data: SeriesData | undefined, style: ChartStyle): void {
    this.#data = data && data.steps.length > 0 ? data : undefined;
    this.#style = style;
    this.#canvas.hidden = this.#data === undefined;
    this.#missing.hidden = this.#data !== undefined;
    this.#draw();
    this.#read();
  }

  get #size() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    return { width, height, inner: [width - LEFT - RIGHT, height - TOP - BOTTOM] as const };
  }

  #draw(): void {
    const context = this.#canvas.getContext("2d");
    const data = this.#data;
    const { width, height, inner } = this.#size;
    if (!context || !data || width === 0) return;
    const ratio = window.devicePixelRatio;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = false;
    const range = this.#colouring.range(data);
    context.drawImage(this.#pixels(data, range), LEFT, TOP, ...inner);
    context.strokeStyle = this.#style.grid;
    context.strokeRect(LEFT, TOP, ...inner);
    this.#label(context, data, range);
    if (this.#at) {
      const [w, h] = [inner[0] / data.steps.length, inner[1] / data.rows.length];
      context.strokeStyle = "#fff";
      context.lineWidth = 2;
      context.strokeRect(LEFT + this.#at.column * w, TOP + this.#at.row * h, Math.max(w, 3), Math.max(h, 3));
    }
  }

  /** One pixel a value. */
  #pixels({ rows, steps, mean }: SeriesData, [low, high]: Range): OffscreenCanvas {
    const image = new ImageData(steps.length, rows.length);
    mean.forEach((line, row) => {
      line.forEach((value, column) => {
        if (value === null) return;
        const colour = viridis((this.#colouring.of(value) - low) / (high - low));
        image.data.set([...colour, 255], 4 * (row * steps.length + column));
      });
    });
    const canvas = new OffscreenCanvas(steps.length, rows.length);
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    return canvas;
  }

  #label(context: CanvasRenderingContext2D, data: SeriesData, range: Range): void {
    const { width, height, inner } = this.#size;
    const write = (text: string, x: number, y: number, align: CanvasTextAlign) => {
      context.textAlign = align;
      context.fillText(text, x, y);
    };
    context.fillStyle = this.#style.text;
    context.font = "11px system-ui";
    context.textBaseline = "middle";
    const every = Math.ceil(data.rows.length / 8);
    for (let row = 0; row < data.rows.length; row += every) {
      write(String(row + 1), LEFT - 5, TOP + ((row + 0.5) * inner[1]) / data.rows.length, "right");
    }
    const columns = data.steps.length;
    for (const column of spread(columns, width < 420 ? 3 : 5)) {
      const x = LEFT + ((column + 0.5) * inner[0]) / columns;
      write(data.steps[column].toLocaleString("en"), x, height - 8, "center");
    }
    const bar = context.createLinearGradient(0, TOP + inner[1], 0, TOP);
    for (let i = 0; i <= 10; i++) bar.addColorStop(i / 10, `rgb(${viridis(i / 10).join()})`);
    context.fillStyle = bar;
    context.fillRect(width - RIGHT + 8, TOP, 8, inner[1]);
    context.fillStyle = this.#style.text;
    const [first, last] = range.map(this.#colouring.text);
    write(first, width - RIGHT + 20, TOP + inner[1] - 6, "left");
    write(last, width - RIGHT + 20, TOP + 6, "left");
  }

  #look(at: { row: number; column: number } | undefined): void {
    this.#at = at;
    this.#draw();
    this.#read();
  }

  #point({ offsetX, offsetY }: PointerEvent): void {
    if (!this.#data) return;
    const { inner } = this.#size;
    const { rows, steps } = this.#data;
    const column = Math.floor(((offsetX - LEFT) / inner[0]) * steps.length);
    const row = Math.floor(((offsetY - TOP) / inner[1]) * rows.length);
    const isInside = column >= 0 && column < steps.length && row >= 0 && row < rows.length;
    this.#look(isInside ? { row, column } : undefined);
  }

  #key(event: KeyboardEvent): void {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!by || !this.#data) return;
    event.preventDefault();
    const { rows, steps } = this.#data;
    const { row, column } = this.#at ?? { row: 0, column: steps.length - 1 };
    const within = (value: number, count: number) => Math.min(count - 1, Math.max(0, value));
    this.#look({ row: within(row + by[0], rows.length), column: within(column + by[1], steps.length) });
  }

  #read(): void {
    setText(this.#readout, this.#told());
  }

  #told(): string {
    const data = this.#data;
    if (!data) return "";
    if (!this.#at) return `${data.rows.length} layers, from the input (1) down, over steps`;
    const { row, column } = this.#at;
    const value = short(data.mean[row]?.[column]);
    return `${row + 1}: ${layerName(data.rows[row] ?? "")}, step ${data.steps[column]?.toLocaleString("en")}: ${value}`;
  }
}

/** About `most` of `count` columns, the first and the last among them, each once. */
export function spread(count: number, most: number): number[] {
  return [...new Set(Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1))))];
}

/** Similarities as they are. */
export const similarityColours: Colouring = {
  of: (value) => value,
  range: ({ mean }) => similarityRange(mean),
  text: short,
};

/** Norms by their powers of ten, over what there is. */
export const normColours: Colouring = {
  of: Math.log10,
  range({ mean }) {
    const [low, high] = extent(mean.flat().map((value) => Math.log10(value ?? Number.NaN))) ?? [-1, 0];
    return [Math.floor(low), Math.max(Math.floor(low) + 1, Math.ceil(high))];
  },
  text: (power) => `1e${power}`,
};
