/** Comparison by sums over batches of unbiased estimates: samples cost time and no memory. */
import type { Relations } from "@guidance/tensor";
import type { CompareOptions, Comparison } from "./comparison.ts";
import { checkTaken, goodBatches } from "./good-batches.ts";
import { compileLayers, type LayerStep } from "./layers.ts";
import { cosine, dot } from "./products.ts";

/**
 * The cosine of relations, each inner product being summed over batches. Relations are made within the networks' Steps. They
 * are unbiased only of distinct images, so that a batch which is not full of good ones is left out.
 */
export async function compareBatches(options: CompareOptions, represent: Relations): Promise<Comparison> {
  const { backend, networks, batchSize, onProgress } = options;
  const samples = options.samples - (options.samples % batchSize);
  const steps: LayerStep[] = [];
  try {
    for (const network of new Set(networks))
      steps.push(await compileLayers(backend, { network, batchSize, represent }));
    const [rows, columns] = [steps[0], steps[steps.length - 1]];
    const squares = [rows, columns].map(({ layers }) => layers.map(() => 0));
    const cross = rows.layers.map(() => columns.layers.map(() => 0));
    let taken = 0;
    for await (const { images, count } of goodBatches({ ...options, samples })) {
      taken += count;
      if (count < batchSize) break;
      const x = await rows.run(images);
      const y = rows === columns ? x : await columns.run(images);
      for (const [side, values] of [x, y].entries()) {
        for (const [i, { data }] of values.entries()) squares[side][i] += dot(data, data);
      }
      for (const [i, a] of x.entries()) for (const [j, b] of y.entries()) cross[i][j] += dot(a.data, b.data);
      onProgress?.({ stage: "images", done: taken, total: samples });
    }
    checkTaken(options, taken, batchSize);
    const matrix = cross.map((row, i) => row.map((value, j) => cosine(value, squares[0][i], squares[1][j])));
    return { rows: rows.layers, columns: columns.layers, matrix, samples: taken - (taken % batchSize), batchSize };
  } finally {
    for (const step of steps) step.close();
  }
}
