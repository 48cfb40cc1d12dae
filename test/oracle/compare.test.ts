// The comparison of whole networks, images and all, against the original's CKA and against numpy.

import { type CompareOptions, compareNetworks } from "@guidance/guidance";
import { cpuBackend } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import { number } from "../support/fixtures.ts";
import { givenFeatures, sampleImages } from "../support/given-features.ts";
import { openBackends } from "../support/oracle-backends.ts";
import { ckaCases, makeX, makeY, toleranceOf } from "../support/oracle-cka.ts";
import { type ReferenceCase, similarityCases } from "../support/similarity-reference.ts";

const settings = { similarity: "linear-cka", estimator: "full", seed: 0 } as const;

describe.each(await openBackends())("linear CKA on $name", (backend) => {
  test.each(ckaCases)("$id", async (entry) => {
    const { id, n, dx, dy, defined, cka_f64: expected } = entry;
    const x = { width: dx, data: makeX(entry) };
    const y = { width: dy, data: makeY(entry, x.data) };
    const network = givenFeatures("both", n, [x, y]);
    const { matrix } = await compareNetworks({
      ...settings,
      backend,
      networks: [network, network],
      source: sampleImages(n),
      samples: n,
      // three batches, the last of them padded unless n is a multiple
      batchSize: Math.ceil(n / 3),
    });
    network.model.close();
    if (!defined) {
      expect([matrix[0][0], matrix[0][1], matrix[1][0]]).toEqual([0, 0, 0]);
      return;
    }
    const { value: tolerance } = toleranceOf(id, backend.precision);
    expect(Math.abs(matrix[0][1] - number(expected))).toBeLessThanOrEqual(tolerance);
    expect(matrix[1][0]).toBe(matrix[0][1]);
    expect(matrix[0][0]).toBe(1);
    expect(matrix[1][1]).toBe(1);
  });
});

describe.each(similarityCases())("against numpy: $n samples, $dx and $dy features", (entry) => {
  const backend = cpuBackend({ precision: "float64", poison: true });
  const compareOnce = async (options: Partial<CompareOptions>, { n, dx, dy, x, y }: ReferenceCase = entry) => {
    const rows = givenFeatures("x", n, [{ width: dx, data: x }]);
    const columns = givenFeatures("y", n, [{ width: dy, data: y }]);
    const common = { ...settings, backend, source: sampleImages(n), samples: n, batchSize: n };
    const { matrix } = await compareNetworks({ ...common, networks: [rows, columns], ...options });
    rows.model.close();
    columns.model.close();
    return matrix[0][0];
  };

  test.each(Object.entries(entry.values))("%s", async (similarity, expected) => {
    for (const batchSize of [entry.n, 7]) {
      expect(Math.abs((await compareOnce({ similarity, batchSize })) - expected)).toBeLessThanOrEqual(1e-10);
    }
  });

  test.each(Object.entries(entry.unbiased))(
    "%s, unbiased, of one batch is that of all samples",
    async (similarity, expected) => {
      expect(await compareOnce({ similarity, estimator: "minibatch" })).toBeCloseTo(expected, 11);
    },
  );

  const { size, ...batches } = entry.batches;
  test.each(Object.entries(batches))("%s of the means over batches", async (similarity, expected) => {
    expect(await compareOnce({ similarity, estimator: "minibatch", batchSize: size })).toBeCloseTo(expected, 11);
  });
});
