import fc from "fast-check";
import { expect, test } from "vitest";
import { type BatchOptions, batchCount, batches, type LastBatch } from "./batches.ts";
import type { ImageDataset } from "./dataset.ts";

/** `count` images of 2 channels of 1 x 2 pixels, whose first value is the image's index. */
function numbered(count: number): ImageDataset {
  const images = new Uint8Array(count * 4);
  for (let image = 0; image < count; image++) images.set([image, 255, 51, 102], image * 4);
  const labels = Uint8Array.from({ length: count }, (_, image) => image % 7);
  return {
    name: "numbered",
    channels: 2,
    height: 1,
    width: 2,
    classes: 7,
    mean: [0, 0.5],
    std: [1, 0.25],
    images,
    labels,
    count,
  };
}

/** The indices of the images that are not padding, by their first value. */
function indices(dataset: ImageDataset, options: BatchOptions): number[] {
  return [...batches(dataset, options)].flatMap(({ images, count }) =>
    Array.from({ length: count }, (_, position) => Math.round(images[position * 4] * 255)),
  );
}

const lastBatch = fc.constantFrom<LastBatch>("drop", "pad", "keep");
const cut = fc
  .tuple(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 120 }), lastBatch)
  .filter(([count, batchSize]) => batchSize <= count);

test("values are normalised channel by channel", () => {
  const [batch] = batches(numbered(3), { batchSize: 3, shuffle: false, lastBatch: "keep" });
  const expected = [0, 1, -1.2, -0.4, 1 / 255, 1, -1.2, -0.4, 2 / 255, 1, -1.2, -0.4];
  expect(batch).toEqual({
    index: 0,
    images: Float32Array.from(expected),
    labels: Int32Array.of(0, 1, 2),
    mask: Float32Array.of(1, 1, 1),
    count: 3,
  });
});

test("the last batch is dropped, padded or kept", () => {
  const shape = (last: LastBatch) =>
    [...batches(numbered(7), { batchSize: 3, shuffle: false, lastBatch: last })].map(({ mask }) => [...mask]);
  const whole = [1, 1, 1];
  expect(shape("drop")).toEqual([whole, whole]);
  expect(shape("pad")).toEqual([whole, whole, [1, 0, 0]]);
  expect(shape("keep")).toEqual([whole, whole, [1]]);
  const padded = [...batches(numbered(7), { batchSize: 3, shuffle: false, lastBatch: "pad" })][2];
  expect([...padded.images.subarray(4)]).toEqual(new Array(8).fill(0));
  expect([...padded.labels]).toEqual([6, 0, 0]);
  expect(padded.count).toBe(1);
});

test("property: an epoch holds each image once, less those dropped, and labels stay with their images", () => {
  fc.assert(
    fc.property(cut, fc.boolean(), fc.nat(9), fc.nat(9), ([count, batchSize, last], shuffle, seed, epoch) => {
      const options: BatchOptions = { batchSize, lastBatch: last, shuffle, seed, epoch };
      const dataset = numbered(count);
      const seen = indices(dataset, options);
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen).toHaveLength(last === "drop" ? count - (count % batchSize) : count);
      if (!shuffle) expect(seen).toEqual(seen.map((_, index) => index));
      const labels = [...batches(dataset, options)].flatMap((batch) => [...batch.labels].slice(0, batch.count));
      expect(labels).toEqual(seen.map((image) => image % 7));
      expect([...batches(dataset, options)]).toHaveLength(batchCount(count, options));
    }),
  );
});

test("property: an epoch resumed at any batch goes on with the same batches", () => {
  fc.assert(
    fc.property(cut, fc.nat(9), fc.double({ min: 0, max: 1, noNaN: true }), ([count, batchSize, last], seed, part) => {
      const options: BatchOptions = { batchSize, lastBatch: last, shuffle: true, seed, epoch: 2 };
      const start = Math.floor(part * batchCount(count, options));
      const whole = [...batches(numbered(count), options)];
      expect([...batches(numbered(count), { ...options, start })]).toEqual(whole.slice(start));
    }),
  );
});

test("epochs and seeds have orders of their own", () => {
  const order = (seed: number, epoch: number) =>
    indices(numbered(50), { batchSize: 10, lastBatch: "drop", shuffle: true, seed, epoch }).join();
  expect(order(1, 0)).toBe(order(1, 0));
  expect(new Set([order(1, 0), order(1, 1), order(2, 0)]).size).toBe(3);
});

test("what does not fit the data set is refused before the first batch", () => {
  const options: BatchOptions = { batchSize: 8, lastBatch: "drop", shuffle: false };
  expect(() => batches(numbered(5), options)).toThrow("the batch size is 8 and the data set has 5 images");
  expect(() => batches(numbered(9), { ...options, batchSize: 0 })).toThrow("the batch size is 0");
  expect(() => batches(numbered(9), { ...options, start: 2 })).toThrow(
    "first batch is 2. Expected a whole number from 0 to 1",
  );
});
