import { expect, it } from "vitest";
import { floatFromHalf, halfFromFloat, roundToHalf } from "./half.ts";

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

it("every half goes to its value and back to its bits", () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 2 ** 16; bits++) {
    const value = floatFromHalf(bits);
    if (halfFromFloat(value) !== (Number.isNaN(value) ? 0x7e00 : bits)) wrong.push(bits);
  }
  expect(wrong).toEqual([]);
});

it("a value between two neighbours goes to the nearer one, and from the middle to the even one", () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [below, above] = [floatFromHalf(bits), floatFromHalf(bits + 1)];
    const middle = (below + above) / 2;
    const even = bits + (bits & 1);
    const right =
      halfFromFloat(middle) === even &&
      halfFromFloat(-middle) === (0x8000 | even) &&
      halfFromFloat(middle - (above - below) / 1e6) === bits &&
      halfFromFloat(middle + (above - below) / 1e6) === bits + 1;
    if (!right) wrong.push(bits);
  }
  expect(wrong).toEqual([]);
});

it.each([
  [65519.99, 65504],
  [65520, Number.POSITIVE_INFINITY],
  [-1e300, Number.NEGATIVE_INFINITY],
  [2 ** -25, 0],
  [-(2 ** -25), -0],
  [1e-300, 0],
  [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
  [Number.NaN, Number.NaN],
])("%d is %d as a half", (value, half) => {
  expect(roundToHalf(value)).toBe(half);
});
