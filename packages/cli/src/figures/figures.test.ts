/** Heat maps: colours, text that cannot break out, and what terminals get. */
import { expect, test } from "vitest";
import { extent } from "./extent.ts";
import { type HeatMap, heatMapSvg, similarityRange } from "./heat-map.ts";
import { heatMapText } from "./heat-text.ts";
import { isLight, viridis } from "./viridis.ts";

const map: HeatMap = {
  title: "similarity",
  rows: { title: "a", names: ["one", "three"] },
  columns: { title: "b", names: ["x", "yy", "z"] },
  values: [
    [0, 0.5, 1],
    [Number.NaN, 0.25, 2],
  ],
  legend: "cka",
  range: [0, 1],
};

test("viridis begins and ends as matplotlib's, becomes lighter all the way, and is held at its ends", () => {
  // matplotlib's table has (68, 1, 84) and (253, 231, 37); the fit is a few levels off
  const near = (part: number, expected: readonly number[]) =>
    viridis(part).forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(6);
    });
  near(0, [68, 1, 84]);
  near(0.5, [33, 145, 140]);
  near(1, [253, 231, 37]);
  const greens = Array.from({ length: 50 }, (_, i) => viridis(i / 49)[1]);
  expect(greens).toEqual([...greens].sort((a, b) => a - b));
  expect([viridis(-1), viridis(7)]).toEqual([viridis(0), viridis(1)]);
  expect([isLight(viridis(0)), isLight(viridis(1))]).toEqual([false, true]);
});

test("the SVG has a cell and a tip for each value, names, a legend, and no background", () => {
  const svg = heatMapSvg(map);
  expect(svg.match(/<rect [^>]*><title>/g)).toHaveLength(6);
  expect(svg).toContain("<title>one, yy: 0.5000</title>");
  expect(svg).toContain('fill="none"><title>three, x: not finite</title>');
  expect(svg).toContain(`fill="rgb(${viridis(1).join()})"><title>three, z: 2.0000`);
  for (const name of ["one", "three", "x", "yy", "z", "cka", "similarity"]) expect(svg).toContain(`>${name}</text>`);
  expect(svg).not.toMatch(/<rect x="0" y="0"/);
  expect(heatMapSvg(map)).toBe(svg);
});

test("text is text, whatever is in it", () => {
  const hostile = `</text><script>"&'\u0000\ud800`;
  const svg = heatMapSvg({ ...map, title: hostile, rows: { title: hostile, names: [hostile, ""] }, legend: hostile });
  expect(svg).not.toMatch(/<script|[\0\ud800]/);
  expect(svg).toContain("&#60;/text&#62;&#60;script&#62;&#34;&#38;&#39;\ufffd\ufffd");
});

test("large and empty maps are drawn too", () => {
  const names = Array.from({ length: 200 }, (_, i) => `Linear_${i}`);
  const large = { ...map, rows: { title: "a", names }, values: names.map(() => [0, 0.5, 1]) };
  // names that would overlap are left out
  expect(heatMapSvg(large).match(/>Linear_\d+<\/text>/g)).toHaveLength(100);
  const empty = { ...map, rows: { title: "a", names: [] }, columns: { title: "b", names: [] }, values: [] };
  expect(heatMapSvg(empty)).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  expect(heatMapSvg(empty)).not.toMatch(/NaN|Infinity/);
});

test("colours reach from 0 to 1, and beyond where something is", () => {
  expect(similarityRange([[0.2, Number.NaN, null]])).toEqual([0, 1]);
  expect(similarityRange([[0.2, -0.5]])).toEqual([-0.5, 1]);
  expect(similarityRange([[1.5], [0.2]])).toEqual([0, 1.5]);
  expect(similarityRange([])).toEqual([0, 1]);
});

test("a matrix may have more values than a function takes arguments", () => {
  const rows = Array.from({ length: 400 }, (_, i) => Array.from({ length: 400 }, (_, j) => (i === j ? 2 : -1)));
  expect(similarityRange(rows)).toEqual([-1, 2]);
  expect(extent(rows.flat())).toEqual([-1, 2]);
  expect(extent([Number.NaN, null, Infinity])).toBeUndefined();
});

test("a long title is not cut", () => {
  const title = "linear-cka (full) on 512 images of mnist test ".repeat(3);
  const [, width, left] =
    /width="(\d+)"[\s\S]*?<text x="([\d.]+)" [^>]*font-size="13"/.exec(heatMapSvg({ ...map, title })) ?? [];
  // a letter is about 0.6 of its height wide
  expect(Number(width) - Number(left)).toBeGreaterThanOrEqual(0.6 * 13 * title.length);
});

test("without colours a terminal gets characters from light to dark", () => {
  expect(heatMapText(map, { depth: 1, width: Infinity })).toBe(
    ["        y", "      x y z", "  one   ++@@", "three ??::@@", "", "      0.00   ..::--==++**##%%@@ 1.00  cka"].join(
      "\n",
    ),
  );
  // one letter a cell where two do not fit
  expect(heatMapText(map, { depth: 1, width: 10 }).split("\n").slice(1, 4)).toEqual([
    "      xyz",
    "  one  +@",
    "three ?:@",
  ]);
});

test("with colours it gets the map's own, or the nearest of 256", () => {
  const line = (depth: number) => heatMapText(map, { depth, width: 80 }).split("\n")[2];
  expect(line(24)).toContain(`\u001b[48;2;${viridis(1).join(";")}m  \u001b[0m`);
  // red 5, green 4, blue 0 of the cube
  expect(line(8)).toContain("\u001b[48;5;220m  \u001b[0m");
  expect(line(4)).not.toContain("\u001b");
});
