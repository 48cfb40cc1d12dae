import fc from "fast-check";
import { expect, test } from "vitest";
import {
  defaultGenerator,
  Generator,
  normalValues,
  permutation,
  seed,
  threefry2x32,
  threefryBlock,
  uniformValues,
  withGenerator,
} from "./random.ts";

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test("threefry agrees with the known answers of Random123 (kat_vectors, threefry2x32 20)", () => {
  const answers = [
    [0, 0, 0, 0, 0x6b200159, 0x99ba4efe],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xc4923a9c, 0x483df7a0],
  ];
  for (const [index, counter, key0, key1, first, second] of answers) {
    expect([...threefryBlock(index, counter, key0, key1, new Uint32Array(2))]).toEqual([first, second]);
    expect(threefry2x32(index, counter, key0, key1)).toBe(first);
  }
});

test("uniform values fill their range evenly", () => {
  const values = uniformValues(50_000, 7, 3, -2, 4);
  const buckets = new Array<number>(6).fill(0);
  for (const value of values) buckets[Math.floor(value + 2)]++;
  // The standard deviation of a bucket's count is sqrt(50000 / 6 * 5 / 6) = 83; five of them are allowed.
  for (const count of buckets) expect(Math.abs(count - 50_000 / 6)).toBeLessThan(415);
});

test("normal values have the moments of the normal distribution", () => {
  const n = 50_000;
  const standard = normalValues(n, 11, 0, 3, 0.5).map((value) => (value - 3) / 0.5);
  const moment = (power: number) => standard.reduce((sum, value) => sum + value ** power, 0) / n;
  expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(n));
  expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
  expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / n));
  expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
});

test("values depend on seed and stream, and a smaller count is a prefix", () => {
  for (const draw of [uniformValues, normalValues]) {
    const values = draw(9, 1, 2, 0, 1);
    expect(draw(9, 1, 2, 0, 1)).toEqual(values);
    expect(draw(5, 1, 2, 0, 1)).toEqual(values.subarray(0, 5));
    expect(draw(9, 1, 3, 0, 1)).not.toEqual(values);
    expect(draw(9, 2, 2, 0, 1)).not.toEqual(values);
    expect(draw(0, 1, 2, 0, 1)).toHaveLength(0);
  }
});

test("property: a permutation holds every index once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 300 }), word, word, (n, key, epoch) => {
      const sorted = permutation(n, key, epoch).sort();
      expect(sorted).toEqual(Uint32Array.from({ length: n }, (_, index) => index));
    }),
  );
});

test("property: permutations differ by epoch and by seed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 100 }), word, fc.nat(1000), (n, key, epoch) => {
      const order = permutation(n, key, epoch);
      expect(permutation(n, key, epoch)).toEqual(order);
      expect(permutation(n, key, epoch + 1)).not.toEqual(order);
      expect(permutation(n, (key ^ 1) >>> 0, epoch)).not.toEqual(order);
    }),
  );
});

test("all orders of three are equally likely", () => {
  const counts = new Map<string, number>();
  for (let epoch = 0; epoch < 6000; epoch++) {
    const key = permutation(3, 5, epoch).join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  expect(counts.size).toBe(6);
  // The standard deviation of each count is sqrt(6000 / 6 * 5 / 6) = 29.
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(145);
});

test("a generator numbers its streams, and its counter resumes it", () => {
  const generator = new Generator(4);
  expect([generator.nextStream(), generator.nextStream()]).toEqual([0, 1]);
  const resumed = new Generator(4);
  resumed.counter = generator.counter;
  expect(resumed.nextStream()).toBe(2);
  generator.counter = 2 ** 32 - 1;
  expect(() => generator.nextStream()).toThrow("all 4294967295 streams are handed out");
});

test("seed resets the default generator", () => {
  seed(12);
  defaultGenerator.nextStream();
  seed(13);
  expect([defaultGenerator.seed, defaultGenerator.counter]).toEqual([13, 0]);
  seed(0);
});

test("another generator is the default one while a function runs, even one that throws", () => {
  const before = defaultGenerator;
  const own = new Generator(9);
  expect(withGenerator(own, () => defaultGenerator.nextStream())).toBe(0);
  const failing = () =>
    withGenerator(own, () => {
      defaultGenerator.nextStream();
      throw new Error("no");
    });
  expect(failing).toThrow("no");
  expect([own.counter, defaultGenerator]).toEqual([2, before]);
});

test("numbers that are no 32-bit words are refused by name", () => {
  expect(() => new Generator(-1)).toThrow("the seed is -1. Expected a whole number from 0 to 4294967295.");
  expect(() => uniformValues(1.5, 0, 0, 0, 1)).toThrow("the number of values is 1.5");
  expect(() => normalValues(1, 0, 2 ** 32, 0, 1)).toThrow("the stream is 4294967296");
  expect(() => permutation(3, 0, Number.NaN)).toThrow("the epoch is NaN");
});
