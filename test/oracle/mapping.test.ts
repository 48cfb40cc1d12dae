// Layer mapping against the original's code, exactly: layers.json `mapping` and `effective`.

import { effectivePairs, mapLayers } from "@guidance/guidance";
import { expect, test } from "vitest";
import { loadFixture } from "../support/fixtures.ts";

interface LayersFixture {
  readonly mapping: readonly (readonly [teachers: number, students: number, map: readonly number[]])[];
  readonly effective: readonly {
    readonly n_teacher: number;
    readonly n_student: number;
    readonly map: readonly number[];
    readonly kept: readonly (readonly [teacher: number, student: number])[];
  }[];
}

const { mapping, effective } = loadFixture<LayersFixture>("layers");

test("every pair of depths maps as in the original", () => {
  expect(mapping.length).toBeGreaterThan(0);
  for (const [teachers, students, map] of mapping) {
    expect(mapLayers(teachers, students), `${teachers} teacher and ${students} student layers`).toEqual(map);
  }
});

test("the pairs that count are the original's", () => {
  expect(effective.length).toBeGreaterThan(0);
  for (const { n_teacher, n_student, map, kept } of effective) {
    const own = mapLayers(n_teacher, n_student);
    expect(own).toEqual(map);
    expect(effectivePairs(own), `${n_teacher} teacher and ${n_student} student layers`).toEqual(kept);
  }
});
