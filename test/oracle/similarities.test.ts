// Similarities and their gradients against numpy and torch, in float64 and float32.

import { similarities } from "@guidance/guidance";
import { type Backend, compile, cpuBackend, f32, grad } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import { expectClose, maxAbs } from "../support/oracle-compare.ts";
import { similarityCases } from "../support/similarity-reference.ts";

const backends: [string, Backend, { value: number; gradient: number }][] = [
  // gradients are stored with twelve digits
  ["float64", cpuBackend({ precision: "float64", poison: true }), { value: 1e-12, gradient: 1e-10 }],
  ["float32", cpuBackend({ poison: true }), { value: 2e-6, gradient: 1e-4 }],
];

/** Those that only compare: oracle/compare.test.ts. */
const comparisonOnly = ["svcca", "pwcca"];

describe.each(backends)("%s", (_, backend, tolerance) => {
  test.each(similarityCases())("$n samples, $dx and $dy features", async ({ n, dx, dy, x, y, values, gradients }) => {
    for (const [name, expected] of Object.entries(values)) {
      if (comparisonOnly.includes(name)) continue;
      await using step = await compile(backend, { x: f32(n, dx), y: f32(n, dy) }, ({ x, y }) => {
        const similarity = similarities.get(name)(x, y);
        return { similarity, slope: grad(similarity, [x])[0] };
      });
      const { similarity, slope } = await step({ x, y });
      expect(Math.abs(similarity.item() - expected), name).toBeLessThanOrEqual(tolerance.value);
      const stored = gradients[name];
      if (stored) expectClose(slope.data, stored, tolerance.gradient * maxAbs(stored), `gradient of ${name}`);
    }
  });
});
