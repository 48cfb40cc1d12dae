import fc from "fast-check";
import { expect, test } from "vitest";
import { effectivePairs, mapLayers } from "./mapping.ts";

const count = fc.integer({ min: 1, max: 80 });

test("halves round to the even layer", () => {
  expect(mapLayers(5, 11)).toEqual([0, 2, 5, 8, 10]);
});

test("the step is computed first: layer 7 of 15 goes to 15 of 30, not 14", () => {
  expect(mapLayers(15, 30)[7]).toBe(15);
});

test("one teacher layer maps to the first student layer", () => {
  expect(mapLayers(1, 9)).toEqual([0]);
});

test("the last of several teacher layers counts", () => {
  expect(effectivePairs(mapLayers(5, 3))).toEqual([
    [1, 0],
    [2, 1],
    [4, 2],
  ]);
});

test("property: the map is monotone and runs from the first to the last student layer", () => {
  fc.assert(
    fc.property(count, count, (teachers, students) => {
      const map = mapLayers(teachers, students);
      expect(map).toHaveLength(teachers);
      expect(map).toEqual([...map].sort((a, b) => a - b));
      expect(map[0]).toBe(0);
      if (teachers > 1) expect(map[teachers - 1]).toBe(students - 1);
    }),
  );
});

test("property: each mapped student layer has one pair, with the last teacher layer mapped to it", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 20 }), (map) => {
      const pairs = effectivePairs(map);
      expect(pairs.map(([, student]) => student)).toEqual([...new Set(map)]);
      for (const [teacher, student] of pairs) expect(map.lastIndexOf(student)).toBe(teacher);
    }),
  );
});

test("counts below one are refused by name", () => {
  expect(() => mapLayers(0, 3)).toThrow("the teacher has 0 layers with features. Expected at least one.");
  expect(() => mapLayers(3, 0)).toThrow("the student has 0 layers");
});
