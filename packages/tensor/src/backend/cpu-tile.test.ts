import { afterEach, expect, test, vi } from "vitest";
import { BackendError, LimitError } from "../errors.ts";
import { TILE, tileMemory } from "./cpu-tile.ts";

/** Sums in the order of the tile. */
function plain(a: readonly number[], b: readonly number[], depth: number): number[] {
  return Array.from({ length: TILE * TILE }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += a[TILE * k + Math.floor(i / TILE)] * b[TILE * k + (i % TILE)];
    return sum;
  });
}

test.each([0, 1, 7, 600])("a tile of depth %i has the bits of plain loops", (depth) => {
  const numbers = (factor: number) => Array.from({ length: TILE * depth }, (_, i) => Math.sin(factor * (i + 1)) / 3);
  const [a, b] = [numbers(1.1), numbers(7.3)];
  const [tile, panelA] = [2, 2 + TILE * TILE];
  const panelB = panelA + TILE * depth;
  const { values, multiply } = tileMemory(panelB + TILE * depth);
  values.fill(NaN, 0, panelA);
  values.set(a, panelA);
  values.set(b, panelB);
  multiply(panelA, panelB, tile, depth);
  expect(Array.from(values.subarray(tile, panelA))).toEqual(plain(a, b, depth));
  expect(values[tile - 1]).toBeNaN();
});

test("memory is kept until a product needs more of it, unless that is very much", () => {
  const { values } = tileMemory(10);
  expect(tileMemory(values.length).values).toBe(values);
  const larger = tileMemory(values.length + 1).values;
  expect(larger.length).toBeGreaterThan(values.length);
  expect(tileMemory(10).values).toBe(larger);
  expect(tileMemory(2 ** 23).values.length).toBeGreaterThanOrEqual(2 ** 23);
  expect(tileMemory(10).values).toBe(larger);
});

afterEach(() => vi.unstubAllGlobals());

test("where WebAssembly is missing or forbidden, or memory too large, an error says so", () => {
  const count = 2 ** 24; // more than what is kept
  vi.stubGlobal("WebAssembly", undefined);
  expect(() => tileMemory(count)).toThrow(BackendError);
  expect(() => tileMemory(count)).toThrow(
    /^cpu backend: products cannot use WebAssembly \(.+\)\. Expected WebAssembly with/,
  );
  vi.unstubAllGlobals();
  expect(() => tileMemory(2 ** 29 + 1)).toThrow(LimitError);
});
