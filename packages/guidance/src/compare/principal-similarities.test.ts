/** SVCCA, PWCCA and exact Procrustes: their laws, and that Procrustes is what the tensor package computes without singular values. */
import { compile, cpuBackend, f32, procrustes } from "@guidance/tensor";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { FeatureMatrix } from "./principal.ts";
import { exactProcrustes, pwcca, svcca } from "./principal-similarities.ts";

interface Case {
  readonly n: number;
  readonly x: FeatureMatrix;
  readonly y: FeatureMatrix;
}

const element = fc.double({ min: -1, max: 1, noNaN: true });
const matrix = (n: number, d: number, salt: number) =>
  fc.array(element, { minLength: n * d, maxLength: n * d }).map(
    (values): FeatureMatrix => ({
      data: Float64Array.from(values, (value, i) => value + 2 * Math.sin(salt + i * i)),
      shape: [n, d],
    }),
  );
const cases: fc.Arbitrary<Case> = fc
  .constantFrom([3, 4, 2], [8, 5, 5], [16, 1, 12], [7, 20, 3], [12, 30, 40], [16, 5, 7])
  .chain(([n, d, e]) => fc.record({ n: fc.constant(n), x: matrix(n, d, 1), y: matrix(n, e, 2) }));

const mapped = ({ data, shape }: FeatureMatrix, change: (value: number, i: number) => number): FeatureMatrix => ({
  shape,
  data: Float64Array.from(data, change),
});

/** Neighbouring columns turned into each other, one pair after another. */
function rotated({ data, shape }: FeatureMatrix): FeatureMatrix {
  const turned = Float64Array.from(data);
  const [, d] = shape;
  for (let a = 0; a + 1 < d; a++) {
    const [c, s] = [Math.cos(a + 1), Math.sin(a + 1)];
    for (let row = 0; row < turned.length; row += d) {
      const [p, q] = [turned[row + a], turned[row + a + 1]];
      turned[row + a] = c * p - s * q;
      turned[row + a + 1] = s * p + c * q;
    }
  }
  return { data: turned, shape };
}

test.each([
  ["svcca", svcca],
  ["procrustes", exactProcrustes],
])(
  "%s is 1 of features with themselves, symmetric, in [0, 1], and blind to rotation, scale and shift",
  (_, similarity) => {
    fc.assert(
      fc.property(cases, ({ x, y }) => {
        expect(similarity(x, x)).toBeCloseTo(1, 9);
        const value = similarity(x, y);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1 + 1e-9);
        expect(similarity(y, x)).toBeCloseTo(value, 9);
        expect(similarity(x, rotated(x))).toBeCloseTo(1, 7);
        expect(
          similarity(
            mapped(rotated(x), (value) => -1e10 * value),
            y,
          ),
        ).toBeCloseTo(value, 6);
        expect(
          similarity(
            x,
            mapped(y, (value) => 1e-12 * value),
          ),
        ).toBeCloseTo(value, 6);
        expect(
          similarity(
            mapped(x, (value, i) => value + (i % x.shape[1])),
            y,
          ),
        ).toBeCloseTo(value, 6);
      }),
      { seed: 3 },
    );
  },
);

/** Features times an invertible matrix: ones below the diagonal, 2 on it. */
function mixed({ data, shape }: FeatureMatrix): FeatureMatrix {
  const [, d] = shape;
  const sums = Float64Array.from(data);
  for (let i = 0; i < data.length; i++) if (i % d > 0) sums[i] += sums[i - 1];
  return { data: sums.map((sum, i) => sum + data[i]), shape };
}

/** Whether both leave samples to be unlike in: else correlations are 1, and directions any. */
const leavesSome = ({ n, x, y }: Case) => x.shape[1] + y.shape[1] < n;

test("PWCCA is 1 of features with themselves, in [0, 1], and blind to what invertible maps do to the second", () => {
  fc.assert(
    fc.property(cases.filter(leavesSome), ({ x, y }) => {
      expect(pwcca(x, x)).toBeCloseTo(1, 9);
      const value = pwcca(x, y);
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1 + 1e-9);
      expect(pwcca(x, mixed(x))).toBeCloseTo(1, 7);
      expect(pwcca(x, mixed(y))).toBeCloseTo(value, 7);
      const moved = mapped(x, (value, i) => -1e10 * (value + (i % x.shape[1])));
      expect(pwcca(moved, y)).toBeCloseTo(value, 6);
      const small = mapped(y, (value) => 1e-12 * value);
      expect(pwcca(x, small)).toBeCloseTo(value, 6);
    }),
    { seed: 5 },
  );
});

test("PWCCA weighs by the first, and says nothing where one spans all samples", () => {
  const wave = (n: number, d: number, salt: number): FeatureMatrix => ({
    data: Float64Array.from({ length: n * d }, (_, i) => Math.sin(salt + i * i)),
    shape: [n, d],
  });
  const [x, y] = [wave(30, 5, 1), wave(30, 4, 2)];
  expect(Math.abs(pwcca(x, y) - pwcca(y, x))).toBeGreaterThan(1e-3);
  // one direction holds nearly all of x, so its correlation is nearly all of the value
  const heavy = mapped(x, (value, i) => (i % 5 === 0 ? 1e4 * value : value));
  const shared = {
    data: Float64Array.from({ length: 60 }, (_, i) => (i % 2 ? Math.cos(i * i) : heavy.data[(i / 2) * 5])),
    shape: [30, 2],
  };
  expect(pwcca(heavy, shared)).toBeGreaterThan(0.99);
  expect([pwcca(wave(8, 7, 1), wave(8, 2, 2)), pwcca(wave(8, 2, 1), wave(8, 20, 2))]).toEqual([1, 1]);
});

test("without variance they are 0, and NaN where features are not finite", () => {
  const x = { data: Float32Array.from([1, 2, 3, 5, 8, 13]), shape: [3, 2] };
  const still = mapped(x, (_, i) => i % 2);
  const broken = { ...x, data: Float32Array.from([1, Number.NaN, 3, 5, 8, 13]) };
  for (const similarity of [svcca, pwcca, exactProcrustes]) {
    expect([similarity(x, still), similarity(still, x), similarity(still, still)]).toEqual([0, 0, 0]);
    expect([similarity(x, broken), similarity(broken, still)]).toEqual([Number.NaN, Number.NaN]);
    expect(() => similarity(x, { data: x.data, shape: [2, 3] })).toThrow("features [n, ...] of the same n samples");
  }
});

test("Procrustes by products alone is that by singular values", async () => {
  const backend = cpuBackend({ precision: "float64", poison: true });
  await fc.assert(
    fc.asyncProperty(cases, async ({ n, x, y }) => {
      await using step = await compile(backend, { x: f32(...x.shape), y: f32(...y.shape) }, ({ x, y }) => ({
        value: procrustes(x, y),
      }));
      const { value } = await step({ x: x.data, y: y.data });
      expect(Math.abs(value.item() - exactProcrustes(x, y)), `${n} samples`).toBeLessThanOrEqual(1e-6);
    }),
    { numRuns: 40, seed: 4 },
  );
});
