/** Charts: ticks at round numbers, peaks that survive, gaps that show, text that cannot break out. */
import { expect, test } from "vitest";
import { scaleOf, tickTexts } from "./axis.ts";
import { type LineChart, lineChartSvg, type Series } from "./line-chart.ts";
import { COLOURS, lookOf } from "./look.ts";
import { stackSvg } from "./stack.ts";

const y = { title: "y" };
const linear = (values: number[], most = 6) => scaleOf(y, values, most).ticks;
const logarithmic = (values: number[], most = 6) => scaleOf({ ...y, scale: "log" }, values, most).ticks;

test("ticks are round numbers around all values", () => {
  expect(linear([0.13, 0.87])).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(linear([1, 300], 8)).toEqual([0, 50, 100, 150, 200, 250, 300]);
  expect(linear([-3e-5, 1e-5])).toEqual([-3e-5, -2e-5, -1e-5, 0, 1e-5]);
  expect(linear([])).toEqual(linear([0, 1]));
  expect(linear([Number.NaN, 2, Infinity])).toContain(2);
  expect(linear([5, 5]).length).toBeGreaterThan(2);
  expect(scaleOf({ ...y, includes: [0] }, [7, 9], 6).ticks[0]).toBe(0);
});

test("ticks of a logarithmic axis are 1, 2 and 5, or powers of ten", () => {
  expect(logarithmic([0.8, 43])).toEqual([0.5, 1, 2, 5, 10, 20, 50]);
  expect(logarithmic([1e-9, 1])).toEqual([1e-9, 1e-7, 1e-5, 1e-3, 1e-1]);
  expect(logarithmic([0, -1])).toEqual(logarithmic([1, 10]));
  const scale = scaleOf({ ...y, scale: "log" }, [1, 100], 6);
  expect([1, 10, 100].map((value) => scale.place(value))).toEqual([0, 0.5, 1]);
  expect(scale.place(0)).toBeNaN();
});

test("ticks of one axis are written alike", () => {
  expect(tickTexts([0, 2e-4, 1e-3])).toEqual(["0", "2e-4", "1e-3"]);
  expect(tickTexts([0, 0.5, 100000])).toEqual(["0", "0.5", "100000"]);
  expect(tickTexts([0, 1e6])).toEqual(["0", "1e6"]);
});

const chart = (...series: Partial<Series>[]): LineChart => ({
  title: "t",
  x: { title: "step" },
  y,
  series: series.map((each, i) => ({ name: `s${i}`, points: [], ...lookOf("guided", i, 8), ...each })),
});
const curves = (svg: string) => [...svg.matchAll(/<path d="(M[\d. -]+L[^"]*)"/g)].map(([, d]) => d);

test("a curve, an entry in the legend and axes", () => {
  const svg = lineChartSvg(chart({ points: [[0, 0], [1, 1]] }, { points: [[0, 1], [1, 0]], dash: [6, 3] })); // biome-ignore format: points
  expect(curves(svg)).toHaveLength(2);
  for (const text of ["t", "step", "y", "s0", "s1", "0.2", "1"]) expect(svg).toContain(`>${text}</text>`);
  expect(svg.match(/stroke-dasharray/g)).toHaveLength(2);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

test("of many points no peak is lost, and the file stays small", () => {
  const points = Array.from({ length: 200_000 }, (_, i): [number, number] => [i, i === 77_777 ? 10 : Math.sin(i)]);
  const svg = lineChartSvg(chart({ points }));
  expect(svg.length).toBeLessThan(40_000);
  const heights = curves(svg)[0].split(/[ML]/).slice(1).map((place) => Number(place.split(" ")[1])); // biome-ignore format: one line
  const lower = heights.filter((height) => height > Math.min(...heights));
  expect(lower).toHaveLength(heights.length - 1);
  expect(Math.min(...lower) - Math.min(...heights)).toBeGreaterThan(100);
});

test("what is not finite is a gap with a cross, and a point alone is a dot", () => {
  const svg = lineChartSvg(chart({ points: [[1, 1], [2, 2], [3, Number.NaN], [4, 1], [5, Infinity], [6, 1], [7, 2]] })); // biome-ignore format: points
  expect(curves(svg)[0].match(/M/g)).toHaveLength(2);
  expect(svg.match(/<circle/g)).toHaveLength(1);
  expect(svg).toContain("<title>s0, 3: NaN</title>");
  expect(svg).toContain("<title>s0, 5: Infinity</title>");
});

test("nothing to draw is an empty chart", () => {
  for (const points of [[], [[1, Number.NaN]] as const]) {
    const svg = lineChartSvg(chart({ points }));
    expect(curves(svg)).toEqual([]);
    expect(svg).not.toMatch(/NaN(?!<)|undefined/);
  }
});

test("pale curves are not in the legend, and entries go on to a next line", () => {
  const series = Array.from({ length: 6 }, (_, i) => ({ name: `a rather long name ${i}`, faint: i === 5, points: [] }));
  const svg = lineChartSvg(chart(...series));
  expect(svg.match(/>a rather long name \d</g)).toHaveLength(5);
  expect(new Set(svg.match(/y="[\d.]+">a rather/g)).size).toBe(3);
});

test("a title or a name that is longer than the plot makes the picture wider", () => {
  const width = (svg: string) => Number(/width="(\d+)"/.exec(svg)?.[1]);
  const long = "a rather long name ".repeat(5);
  expect(width(lineChartSvg(chart({})))).toBe(560);
  // letters are about 0.6 of their height wide, and begin beside the axis
  expect(width(lineChartSvg({ ...chart({}), title: long }))).toBeGreaterThan(72 + 0.6 * 14 * long.length);
  expect(width(lineChartSvg(chart({ name: long })))).toBeGreaterThan(72 + 0.6 * 12 * long.length);
});

test("text is text, whatever is in it", () => {
  const hostile = `</text><script>"&'`;
  const points = [[1, Number.NaN]] as const;
  const svg = lineChartSvg({ ...chart({ name: hostile, points }), title: hostile, y: { title: hostile } });
  expect(svg).not.toContain("<script");
  expect(stackSvg([svg, svg])).not.toContain("<script");
});

/** Of a colour, relative to white (WCAG). */
function luminance(colour: string): number {
  const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test("colours are seen on white, on black and on the dark panels of the dashboard", () => {
  for (const colour of COLOURS) {
    const light = luminance(colour) + 0.05;
    expect(1.05 / light, colour).toBeGreaterThan(3);
    expect(light / 0.05, colour).toBeGreaterThan(3);
    expect(light / (luminance("#181d24") + 0.05), colour).toBeGreaterThan(3);
  }
});

test("several runs differ in colour, the networks of one in colour and dashes", () => {
  const looks = (["guided", "unguided", "guide"] as const).map((network) => lookOf(network, 0, 1));
  expect(new Set(looks.map(({ colour }) => colour)).size).toBe(3);
  expect(new Set(looks.map(({ dash }) => dash.join())).size).toBe(3);
  expect(lookOf("unguided", 2, 3)).toEqual({ ...lookOf("guided", 2, 3), dash: [6, 3] });
  expect(new Set([0, 1, 2].map((run) => lookOf("guided", run, 3).colour)).size).toBe(3);
});

test("several figures stand below each other", () => {
  const one = lineChartSvg(chart({}));
  expect(stackSvg([one])).toBe(one);
  const two = stackSvg([one, one]);
  expect(two).toMatch(/^<svg xmlns="[^"]*" width="560" height="652" viewBox="0 0 560 652">/);
  expect(two.match(/<svg /g)).toHaveLength(3);
  expect(two).toContain('<svg y="332" ');
});
