// The recipe of the fixtures' inputs and weights: every other oracle test stands on it, so it must agree bit for bit.

import { expect, test } from "vitest";
import {
  fnv1a32,
  type IntegerSpec,
  loadFixture,
  makeFloat64Tensor,
  makeTensor,
  type RealSpec,
} from "../support/fixtures.ts";

interface RecipeCase {
  readonly tensor: RealSpec | IntegerSpec;
  readonly fnv1a32: number;
  readonly first: readonly number[];
  readonly float32_bits?: readonly number[];
  readonly last?: number;
  readonly sum: number;
}

const { cases } = loadFixture<{ cases: RecipeCase[] }>("recipe");

test("there are cases", () => {
  expect(cases.length).toBeGreaterThan(0);
});

test.each(cases.map((entry) => [entry.tensor.name, entry] as const))("%s", (name, entry) => {
  const { tensor, first, float32_bits: bits, last, sum } = entry;
  expect(fnv1a32(name)).toBe(entry.fnv1a32);
  const { shape, data } = makeTensor(tensor);
  expect(shape).toEqual(tensor.shape);
  // Nine significant digits name a float32 uniquely.
  expect([...data.subarray(0, first.length)]).toEqual(first.map(Math.fround));
  if (last !== undefined) expect(data[data.length - 1]).toBe(Math.fround(last));
  if (bits) expect([...new Uint32Array(data.buffer, 0, bits.length)]).toEqual(bits);
  const total = (data as Float32Array).reduce((partial, value) => partial + value, 0);
  expect(Math.abs(total - sum)).toBeLessThanOrEqual(1e-8 * Math.abs(sum));
  if ("int" in tensor) return;
  const wide = makeFloat64Tensor(tensor).data;
  // Not `toEqual`, which takes seconds for millions of elements.
  expect(wide).toHaveLength(data.length);
  expect(wide.every((value, index) => value === data[index])).toBe(true);
});
