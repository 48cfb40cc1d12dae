/** Features of all samples on the host, though a network sees one batch of them at a time. */
import { allocateArray, elementCount } from "@guidance/tensor";
import type { ComparedNetwork, CompareOptions } from "./comparison.ts";
import { checkTaken, goodBatches } from "./good-batches.ts";
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
 * The features of some layers. Of images that cannot be decoded there may be so many that features have less than n rows.
 * The network's Step is closed when they are there.
 *
 * Throws DataError where there are less than two.
 */
export async function gatherFeatures(
  options: CompareOptions,
  { network, only, shapes, onBatch }: GatherRequest,
): Promise<FeatureMatrix[]> {
  const { backend, batchSize } = options;
  const step = await compileLayers(backend, { network, batchSize, only, represent: (features) => features });
  const gathered = shapes.map((shape) => allocateArray("f32", backend.precision, elementCount(shape)));
  let taken = 0;
  try {
    for await (const { images, count } of goodBatches(options)) {
      for (const [layer, { data }] of (await step.run(images)).entries()) {
        const width = data.length / batchSize;
        gathered[layer].set(data.subarray(0, count * width), taken * width);
      }
      taken += count;
      onBatch(count);
    }
  } finally {
    step.close();
  }
  checkTaken(options, taken, 2);
  return gathered.map((values, i) => {
    const [, ...rest] = shapes[i];
    const data = values.subarray(0, taken * elementCount(rest)) as FeatureMatrix["data"];
    return { data, shape: [taken, ...rest] };
  });
}
