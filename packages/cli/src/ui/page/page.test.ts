/** What of the page needs no browser: names, settings, colours and places. */
import { expect, test } from "vitest";
import { settingNames, shortNames } from "../../figures/names.ts";
import { runName } from "./format.ts";
import { normColours, similarityColours, spread } from "./map.ts";
import type { SeriesData } from "./state.ts";

test("runs have short names, and whole ones where two would be called the same", () => {
  const [first, same, other] = ["20260131-120001-mnist", "20260131-120059-mnist", "20260131-130000-mnist"];
  expect(shortNames([first, other, "mine"], runName)).toEqual(["12:00 mnist", "13:00 mnist", "mine"]);
  expect(shortNames([first, same, other], runName)).toEqual([first, same, "13:00 mnist"]);
});

test("a setting that is null in one run and has fields in another is told by its fields", () => {
  const runs = [{ seed: "0", synthetic: "null" }, { seed: "0", "synthetic.height": "8" }, { syntheticOther: "1" }];
  expect(settingNames(runs.map(Object.keys))).toEqual(["seed", "synthetic.height", "syntheticOther"]);
});

const data = (...mean: (number | null)[][]): SeriesData => ({ rows: [], steps: [], mean, low: [], high: [] });

test("colours reach over all there is, in both directions", () => {
  expect(similarityColours.range(data([0.2, null], [0.4, 0.5]))).toEqual([0, 1]);
  expect(similarityColours.range(data([-0.2, null], [1.4, 0.5]))).toEqual([-0.2, 1.4]);
  expect(normColours.range(data([0.02, null], [0, 5]))).toEqual([-2, 1]);
  expect(normColours.range(data([0, null]))).toEqual([-1, 0]);
});

test("steps are written at places of their own, from the first to the last", () => {
  expect([1, 2, 4, 5, 9].map((columns) => spread(columns, 5))).toEqual([
    [0],
    [0, 1],
    [0, 1, 2, 3],
    [0, 1, 2, 3, 4],
    [0, 2, 4, 6, 8],
  ]);
  expect(spread(100, 3)).toEqual([0, 50, 99]);
});
