/**
 * A heat map as SVG: numbers of a matrix as colours, names on both axes, a legend. It stands alone as a file and goes into
 * a page as it is; without a background, and with text in a grey that is read on white and on black.
 */
import { extent } from "./extent.ts";
import { escapeText, TEXT, textWidth } from "./svg.ts";
import { isLight, viridis } from "./viridis.ts";

export interface HeatMapAxis {
  readonly title: string;
  readonly names: readonly string[];
  /** Written are at most so many names; all, unless given, that do not overlap. */
  readonly written?: number;
}

export interface HeatMap {
  readonly title: string;
  readonly rows: HeatMapAxis;
  readonly columns: HeatMapAxis;
  /** Row by row; what is not finite has no colour. */
  readonly values: readonly (readonly number[])[];
  /** What the colours stand for. */
  readonly legend: string;
  /** The values of the first and the last colour. */
  readonly range: readonly [low: number, high: number];
  /** Sizes of a cell; squares as large as there is room for, unless given. */
  readonly cell?: { readonly width: number; readonly height: number };
}

/** Sizes of letters: of all but the title, and of that. */
const [FONT, TITLE] = [11, 13];
/** Width of a matrix that cells are made for, and what a cell is at least and at most. */
const [MATRIX, SMALLEST, LARGEST] = [720, 6, 30];
/** From this size on a cell shows its number. */
const NUMBERED = 24;
const GAP = 6;

/** The values of the first and the last colour for similarities: 0 and 1, or beyond where some are. */
export function similarityRange(values: readonly (readonly (number | null)[])[]): HeatMap["range"] {
  const [low, high] = extent(values.flat()) ?? [0, 1];
  return [Math.min(0, low), Math.max(1, high)];
}

/** The map as an SVG document. Pure: the same data, the same text. */
export function heatMapSvg({ title, rows, columns, values, legend, range: [low, high], cell }: HeatMap): string {
  const most = Math.max(rows.names.length, columns.names.length, 1);
  const square = Math.min(LARGEST, Math.max(SMALLEST, Math.floor(MATRIX / most)));
  const { width: wide, height: tall } = cell ?? { width: square, height: square };
  const longest = ({ names }: HeatMapAxis) => Math.ceil(Math.max(0, ...names.map((name) => textWidth(name, FONT))));
  const left = GAP + FONT + GAP + longest(rows) + GAP;
  const top = GAP + 2 * FONT + GAP + FONT + GAP + longest(columns) + GAP;
  const size = [wide * columns.names.length, tall * rows.names.length];
  // the title of the rows is written upwards from the bottom, and has to fit
  const bottom = top + Math.max(size[1], 60, Math.ceil(textWidth(rows.title, FONT)) - top);
  const scale = { x: left + size[0] + 3 * GAP, width: 12, height: bottom - top };
  const width = Math.max(
    scale.x + scale.width + GAP + textWidth("-00.00", FONT),
    left + Math.max(textWidth(title, TITLE), textWidth(columns.title, FONT), textWidth(legend, FONT)),
  );
  const height = bottom + GAP + 2 * FONT;
  const write = (x: number, y: number, text: string, more = "") =>
    `<text x="${round(x)}" y="${round(y)}"${more}>${escapeText(text)}</text>`;
  const upright = (x: number, y: number) => ` transform="rotate(-90 ${round(x)} ${round(y)})"`;
  const middle = FONT / 3;

  // names that would overlap are left out
  const labels = (
    { names, written = Infinity }: HeatMapAxis,
    each: number,
    draw: (at: number, name: string) => string,
  ) => {
    const every = Math.max(Math.ceil((FONT + 1) / each), Math.ceil(names.length / written));
    return names.flatMap((name, i) => (i % every === 0 ? [draw((i + 0.5) * each, name)] : []));
  };
  const cells = values.flatMap((row, i) =>
    row.flatMap((value, j) => {
      const [x, y] = [left + j * wide, top + i * tall];
      const known = Number.isFinite(value);
      const colour = viridis((value - low) / (high - low));
      const fill = known ? `rgb(${colour.join()})` : "none";
      const tip = `${rows.names[i]}, ${columns.names[j]}: ${known ? value.toFixed(4) : "not finite"}`;
      const box = `<rect x="${x}" y="${y}" width="${wide}" height="${tall}" fill="${fill}"><title>${escapeText(tip)}</title></rect>`;
      if (Math.min(wide, tall) < NUMBERED || !known) return [box];
      const ink = ` text-anchor="middle" font-size="9" pointer-events="none" fill="${isLight(colour) ? "#000" : "#fff"}"`;
      return [box, write(x + wide / 2, y + tall / 2 + 3, value.toFixed(2), ink)];
    }),
  );
  const steps = 32;
  const bar = Array.from({ length: steps }, (_, i) => {
    const y = top + (scale.height * (steps - 1 - i)) / steps;
    const colour = viridis((i + 0.5) / steps).join();
    return `<rect x="${scale.x}" y="${round(y)}" width="${scale.width}" height="${round(scale.height / steps + 0.5)}" fill="rgb(${colour})"/>`;
  });
  const tick = (part: number) =>
    write(
      scale.x + scale.width + GAP,
      bottom - part * scale.height + 2 * middle * part,
      (low + part * (high - low)).toFixed(2),
    );
  const turned = [GAP + FONT, bottom] as const;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(width)}" height="${Math.ceil(height)}" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" font-family="ui-sans-serif, system-ui, sans-serif" font-size="${FONT}" fill="${TEXT}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    write(left, GAP + FONT + 2, title, ` font-size="${TITLE}"`),
    write(left, GAP + 2 * FONT + GAP + FONT, columns.title),
    write(...turned, rows.title, upright(...turned)),
    ...labels(rows, tall, (at, name) => write(left - GAP, top + at + middle, name, ' text-anchor="end"')),
    ...labels(columns, wide, (at, name) =>
      write(left + at + middle, top - GAP, name, upright(left + at + middle, top - GAP)),
    ),
    ...cells,
    `<rect x="${left}" y="${top}" width="${size[0]}" height="${size[1]}" fill="none" stroke="${TEXT}"/>`,
    ...bar,
    ...[0, 0.5, 1].map(tick),
    write(left, bottom + GAP + FONT, legend),
    "</svg>\n",
  ].join("\n");
}

const round = (value: number): number => Math.round(100 * value) / 100;
