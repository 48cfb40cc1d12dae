import { expect, it } from "vitest";
import { floatFromHalf } from "./half.ts";

it.each([
  [0x0000, 0],
  [0x8000, -0],
  [0x3c00, 1],
  [0xc100, -2.5],
  [0x7bff, 65504],
  [0x0400, 2 ** -14],
  [0x0001, 2 ** -24],
  [0x83ff, -(1023 * 2 ** -24)],
  [0x7c00, Number.POSITIVE_INFINITY],
  [0xfc00, Number.NEGATIVE_INFINITY],
  [0x7e00, Number.NaN],
])("the half of bits %i is %d", (bits, value) => {
  expect(floatFromHalf(bits)).toBe(value);
});
