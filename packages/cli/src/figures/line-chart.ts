/**
 * Curves as SVG, to stand alone as a file and to go into a page: without a background, in colours that are seen on white and
 * on black. A long curve is drawn by the first, least, greatest and last value of each unit of width, so that no peak is
 * lost; what is not finite is a gap, with a cross below it.
 */
import { type Axis, type Scale, scaleOf, tickTexts, valueText } from "./axis.ts";
import type { Look } from "./look.ts";
import { escapeText, TEXT, textWidth } from "./svg.ts";

export interface Series extends Look {
  /** In the legend; series of one name have one entry there. */
  readonly name: string;
  /** In the order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Thin and pale, behind the others, and not in the legend. */
  readonly faint?: boolean;
  /** A dot at each point. */
  readonly dots?: boolean;
}

export interface LineChart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

/** Of the plot and what is around it; text that needs more makes the picture wider. */
const [WIDTH, HEIGHT] = [560, 320];
/** Sizes of letters: of all but the title, and of that. */
const [FONT, TITLE_FONT] = [12, 14];
/** Around the plot; to the left there is room for ticks of 7 letters and the title of the axis. */
const LEFT = 72;
const RIGHT = 14;
const LEGEND_LINE = 18;
const TITLE = 30;
const BOTTOM = 44;

const round = (value: number): number => Math.round(10 * value) / 10;

interface Place {
  readonly x: number;
  /** NaN where it has none. */
  readonly y: number;
}

/** Of each run of places within one unit of width the first, least, greatest and last. */
function thinned(places: readonly Place[]): Place[] {
  const kept: Place[] = [];
  for (let i = 0; i < places.length; ) {
    let [least, greatest, end] = [i, i, i];
    for (; end < places.length && Math.floor(places[end].x) === Math.floor(places[i].x); end++) {
      if (places[end].y < places[least].y) least = end;
      if (places[end].y > places[greatest].y) greatest = end;
    }
    const chosen = [...new Set([i, least, greatest, end - 1])].sort((a, b) => a - b);
    kept.push(...chosen.map((index) => places[index]));
    i = end;
  }
  return kept;
}

/** Cut where there is no place. */
function pieces(places: readonly Place[]): Place[][] {
  const found: Place[][] = [[]];
  for (const place of places) {
    if (Number.isFinite(place.y)) found.at(-1)?.push(place);
    else if (found.at(-1)?.length) found.push([]);
  }
  return found.filter(({ length }) => length > 0);
}

const dashed = ({ dash }: Look): string => (dash.length > 0 ? ` stroke-dasharray="${dash.join(" ")}"` : "");

function drawSeries(series: Series, x: Scale, y: Scale, plot: Plot): string {
  const { name, points, colour: ink, faint, dots } = series;
  const places = points.map(([at, value]): Place => ({ x: plot.x(x.place(at)), y: plot.y(y.place(value)) }));
  const parts = pieces(places).map(thinned);
  const line = parts
    .filter(({ length }) => length > 1)
    .map((part) => `M${part.map((place) => `${round(place.x)} ${round(place.y)}`).join("L")}`)
    .join("");
  const style = faint ? ' stroke-width="1" stroke-opacity="0.35"' : dashed(series);
  const path = line ? `<path d="${line}" fill="none" stroke="${ink}"${style}/>` : "";
  const alone = dots ? parts.flat() : parts.filter(({ length }) => length === 1).flat();
  const circles = alone.map(
    (place) => `<circle cx="${round(place.x)}" cy="${round(place.y)}" r="${faint ? 1 : 2.5}" fill="${ink}"/>`,
  );
  // one cross for all that lie in one place
  const lost = new Map<number, number>();
  places.forEach((place, i) => {
    const column = 4 * Math.round(place.x / 4);
    if (!Number.isFinite(place.y) && !lost.has(column)) lost.set(column, i);
  });
  const crosses = [...lost].map(([column, i]) => {
    const tip = `${name}, ${valueText(points[i][0])}: ${points[i][1]}`;
    const shape = `M${column - 3} ${plot.bottom - 7}l6 6m0-6l-6 6`;
    return `<path d="${shape}" stroke="${ink}" stroke-width="1.5"><title>${escapeText(tip)}</title></path>`;
  });
  return [path, ...circles, ...crosses].join("");
}

interface Plot {
  readonly top: number;
  readonly bottom: number;
  x(part: number): number;
  y(part: number): number;
}

/** Entries from left to right, and on to the next line where they do not fit. */
function layOut(series: readonly Series[]): { entry: Series; x: number; end: number; line: number }[] {
  const entries = series.filter(
    ({ name, faint }, i) => !faint && series.findIndex((s) => !s.faint && s.name === name) === i,
  );
  let [x, line] = [LEFT, 0];
  return entries.map((entry) => {
    const width = 30 + textWidth(entry.name, FONT) + 16;
    if (x > LEFT && x + width > WIDTH) [x, line] = [LEFT, line + 1];
    const placed = { entry, x, end: x + width, line };
    x += width;
    return placed;
  });
}

/** The chart as an SVG document. Pure: the same data, the same text. */
export function lineChartSvg({ title, x: xAxis, y: yAxis, series }: LineChart): string {
  const legend = layOut(series);
  const lines = legend.length === 0 ? 0 : 1 + Math.max(...legend.map(({ line }) => line));
  const top = TITLE + LEGEND_LINE * lines + 4;
  const width = Math.ceil(
    Math.max(WIDTH, LEFT + textWidth(title, TITLE_FONT) + RIGHT, ...legend.map(({ end }) => end)),
  );
  const height = HEIGHT + LEGEND_LINE * Math.max(0, lines - 1);
  const bottom = height - BOTTOM;
  const plot: Plot = {
    top,
    bottom,
    x: (part) => LEFT + part * (WIDTH - LEFT - RIGHT),
    y: (part) => bottom - part * (bottom - top),
  };
  const valuesOf = function* (index: 0 | 1) {
    for (const { points } of series) for (const point of points) yield point[index];
  };
  const x = scaleOf(xAxis, valuesOf(0), 8);
  const y = scaleOf(yAxis, valuesOf(1), 6);
  const write = (at: number, down: number, text: string, more = "") =>
    `<text x="${round(at)}" y="${round(down)}"${more}>${escapeText(text)}</text>`;
  const rule = (d: string, opacity: number) =>
    `<path d="${d}" stroke="${TEXT}" stroke-opacity="${opacity}" fill="none"/>`;
  const [xTexts, yTexts] = [tickTexts(x.ticks), tickTexts(y.ticks)];
  const yTicks = y.ticks.map((tick, i) => {
    const down = round(plot.y(y.place(tick)));
    return rule(`M${LEFT} ${down}H${WIDTH - RIGHT}`, 0.3) + write(LEFT - 6, down + 4, yTexts[i], ' text-anchor="end"');
  });
  const xTicks = x.ticks.map((tick, i) => {
    const at = round(plot.x(x.place(tick)));
    return rule(`M${at} ${bottom}v4`, 1) + write(at, bottom + 18, xTexts[i], ' text-anchor="middle"');
  });
  const entries = legend.map(({ entry, x: at, line }) => {
    const down = TITLE + LEGEND_LINE * line + 6;
    const sample = `<path d="M${round(at)} ${down}h24" stroke="${entry.colour}"${dashed(entry)}/>`;
    return [sample, write(at + 30, down + 4, entry.name)] as const;
  });
  const middle = (top + bottom) / 2;
  const ordered = [...series.filter(({ faint }) => faint), ...series.filter(({ faint }) => !faint)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-sans-serif, system-ui, sans-serif" font-size="${FONT}" fill="${TEXT}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    write(LEFT, 18, title, ` font-size="${TITLE_FONT}" font-weight="600"`),
    ...yTicks,
    ...xTicks,
    rule(`M${LEFT} ${top}V${bottom}H${WIDTH - RIGHT}`, 1),
    write((LEFT + WIDTH - RIGHT) / 2, height - 8, xAxis.title, ' text-anchor="middle"'),
    write(16, middle, yAxis.title, ` text-anchor="middle" transform="rotate(-90 16 ${round(middle)})"`),
    '<g stroke-width="1.8" stroke-linejoin="round">',
    ...ordered.map((each) => drawSeries(each, x, y, plot)),
    ...entries.map(([sample]) => sample),
    "</g>",
    ...entries.map(([, name]) => name),
    "</svg>\n",
  ].join("\n");
}
