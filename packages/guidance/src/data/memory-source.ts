/** A data set in memory as an {@link ImageSource}. */

import { createHash } from "node:crypto";
import { permutation } from "@guidance/tensor";
import { type BatchOptions, checkBatches } from "./batches.ts";
import { type ImageDataset, imageSize } from "./dataset.ts";
import type { ImageBatch, ImageSource } from "./source.ts";

/** The images of `dataset` as a source; they are shared, not copied. */
export function memorySource(dataset: ImageDataset): ImageSource {
  const { name, channels, height, width, classes, mean, std, count } = dataset;
  let hash: string | undefined;
  return {
    name,
    channels,
    height,
    width,
    classes,
    mean,
    std,
    count,
    get hash() {
      hash ??= hashDataset(dataset);
      return hash;
    },
    batches: (options) => generate(dataset, options, checkBatches(dataset, options)),
    close: async () => {},
  };
}

async function* generate(
  dataset: ImageDataset,
  { batchSize, lastBatch, shuffle, seed = 0, epoch = 0, start = 0 }: BatchOptions,
  total: number,
): AsyncGenerator<ImageBatch, void, undefined> {
  const { images, labels, count: available } = dataset;
  const size = imageSize(dataset);
  const order = shuffle ? permutation(available, seed, epoch) : undefined;
  for (let index = start; index < total; index++) {
    const first = index * batchSize;
    const count = Math.min(batchSize, available - first);
    const length = lastBatch === "pad" ? batchSize : count;
    const batch = {
      index,
      images: new Uint8Array(length * size),
      labels: new Int32Array(length),
      mask: new Float32Array(length).fill(1, 0, count),
      count,
    };
    for (let position = 0; position < count; position++) {
      const image = order ? order[first + position] : first + position;
      batch.images.set(images.subarray(image * size, (image + 1) * size), position * size);
      batch.labels[position] = labels[image];
    }
    yield batch;
  }
}

function hashDataset({ channels, height, width, classes, mean, std, images, labels }: ImageDataset): string {
  const description = JSON.stringify({ channels, height, width, classes, mean, std });
  return createHash("sha256").update(description).update(images).update(labels).digest("hex");
}
