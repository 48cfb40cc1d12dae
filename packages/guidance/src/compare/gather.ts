/** Features of all samples on the host, though a network sees one batch of them at a time. */
import { allocateArray, elementCount } from "@guidance/tensor";
import { DataError } from "../data/errors.ts";
import { eventLoopTurn } from "../train/turn.ts";
import type { ComparedNetwork, CompareOptions } from "./comparison.ts";
import { compileLayers } from "./layers.ts";
import type { FeatureMatrix } from "./principal.ts";

export interface GatherRequest {
  readonly network: ComparedNetwork;
  /** Indices of layers. */
  readonly only: readonly number[];
  /** [n, ...] of the features of each of them, for all n samples that are asked for. */
  readonly shapes: readonly (readonly number[])[];
  /** Told after each batch how many samples it had. */
  readonly onBatch: (samples: number) => void;
}

/**
 * The features of some layers. A batch's rows without an image, padding and bad ones, are left out; of bad ones there may
 * be so many that features have less than n rows. The network's Step is closed when they are there.
 *
 * Throws DataError where there are less than two.
 */
export async function gatherFeatures(
  { backend, source, samples, batchSize, seed }: CompareOptions,
  { network, only, shapes, onBatch }: GatherRequest,
): Promise<FeatureMatrix[]> {
  const step = await compileLayers(backend, { network, batchSize, only, represent: (features) => features });
  const gathered = shapes.map((shape) => allocateArray("f32", backend.precision, elementCount(shape)));
  let taken = 0;
  try {
    for await (const { images, mask } of source.batches({ batchSize, lastBatch: "pad", shuffle: true, seed })) {
      await eventLoopTurn();
      const outputs = await step.run(images);
      const before = taken;
      for (let row = 0; row < batchSize && taken < samples; row++) {
        if (mask[row] === 0) continue;
        for (const [layer, { data }] of outputs.entries()) {
          const width = data.length / batchSize;
          gathered[layer].set(data.subarray(row * width, (row + 1) * width), taken * width);
        }
        taken += 1;
      }
      onBatch(taken - before);
      if (taken === samples) break;
    }
  } finally {
    step.close();
  }
  if (taken < 2) {
    const facts = `${taken} of ${source.count} images of "${source.name}" can be used`;
    throw new DataError({ what: "compare", facts, expected: "at least 2 good images" });
  }
  return gathered.map((values, i) => {
    const [, ...rest] = shapes[i];
    const data = values.subarray(0, taken * elementCount(rest)) as FeatureMatrix["data"];
    return { data, shape: [taken, ...rest] };
  });
}
