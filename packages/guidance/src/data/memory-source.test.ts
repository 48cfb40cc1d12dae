import fc from "fast-check";
import { expect, test } from "vitest";
import { type BatchOptions, batchCount, type LastBatch } from "./batches.ts";
import type { ImageDataset } from "./dataset.ts";
import { memorySource } from "./memory-source.ts";
import type { ImageBatch } from "./source.ts";
import { syntheticDataset } from "./synthetic.ts";

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

async function batches(dataset: ImageDataset, options: BatchOptions): Promise<ImageBatch[]> {
  const collected: ImageBatch[] = [];
  for await (const batch of memorySource(dataset).batches(options)) collected.push(batch);
  return collected;
}

/** The indices of the images that are not padding, by their first value. */
async function indices(dataset: ImageDataset, options: BatchOptions): Promise<number[]> {
  return (await batches(dataset, options)).flatMap(({ images, count }) =>
    Array.from({ length: count }, (_, position) => images[position * 4]),
  );
}

const lastBatch = fc.constantFrom<LastBatch>("drop", "pad", "keep");
const cut = fc
  .tuple(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 120 }), lastBatch)
  .filter(([count, batchSize]) => batchSize <= count);

test("a batch has the bytes of its images", async () => {
  const [batch] = await batches(numbered(3), { batchSize: 3, shuffle: false, lastBatch: "keep" });
  expect(batch).toEqual({
    index: 0,
    images: Uint8Array.of(0, 255, 51, 102, 1, 255, 51, 102, 2, 255, 51, 102),
    labels: Int32Array.of(0, 1, 2),
    mask: Float32Array.of(1, 1, 1),
    count: 3,
  });
});

test("the last batch is dropped, padded or kept", async () => {
  const cut = (last: LastBatch) => batches(numbered(7), { batchSize: 3, shuffle: false, lastBatch: last });
  const shape = async (last: LastBatch) => (await cut(last)).map(({ mask }) => [...mask]);
  const whole = [1, 1, 1];
  expect(await shape("drop")).toEqual([whole, whole]);
  expect(await shape("pad")).toEqual([whole, whole, [1, 0, 0]]);
  expect(await shape("keep")).toEqual([whole, whole, [1]]);
  const padded = (await cut("pad"))[2];
  expect([...padded.images.subarray(4)]).toEqual(new Array(8).fill(0));
  expect([...padded.labels]).toEqual([6, 0, 0]);
  expect(padded.count).toBe(1);
});

test("property: an epoch holds each image once, less those dropped, and labels stay with their images", async () => {
  await fc.assert(
    fc.asyncProperty(
      cut,
      fc.boolean(),
      fc.nat(9),
      fc.nat(9),
      async ([count, batchSize, last], shuffle, seed, epoch) => {
        const options: BatchOptions = { batchSize, lastBatch: last, shuffle, seed, epoch };
        const dataset = numbered(count);
        const seen = await indices(dataset, options);
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen).toHaveLength(last === "drop" ? count - (count % batchSize) : count);
        if (!shuffle) expect(seen).toEqual(seen.map((_, index) => index));
        const all = await batches(dataset, options);
        const labels = all.flatMap((batch) => [...batch.labels].slice(0, batch.count));
        expect(labels).toEqual(seen.map((image) => image % 7));
        expect(all).toHaveLength(batchCount(count, options));
      },
    ),
  );
});

test("property: an epoch resumed at any batch goes on with the same batches", async () => {
  const part = fc.double({ min: 0, max: 1, noNaN: true });
  await fc.assert(
    fc.asyncProperty(cut, fc.nat(9), part, async ([count, batchSize, last], seed, part) => {
      const options: BatchOptions = { batchSize, lastBatch: last, shuffle: true, seed, epoch: 2 };
      const start = Math.floor(part * batchCount(count, options));
      const whole = await batches(numbered(count), options);
      expect(await batches(numbered(count), { ...options, start })).toEqual(whole.slice(start));
    }),
  );
});

test("epochs and seeds have orders of their own", async () => {
  const order = async (seed: number, epoch: number) =>
    (await indices(numbered(50), { batchSize: 10, lastBatch: "drop", shuffle: true, seed, epoch })).join();
  expect(await order(1, 0)).toBe(await order(1, 0));
  expect(new Set(await Promise.all([order(1, 0), order(1, 1), order(2, 0)])).size).toBe(3);
});

test("what does not fit the data set is refused before the first batch", () => {
  const options: BatchOptions = { batchSize: 8, lastBatch: "drop", shuffle: false };
  expect(() => memorySource(numbered(5)).batches(options)).toThrow("the batch size is 8 and the data set has 5 images");
  expect(() => memorySource(numbered(9)).batches({ ...options, batchSize: 0 })).toThrow("the batch size is 0");
  expect(() => memorySource(numbered(9)).batches({ ...options, start: 2 })).toThrow(
    "first batch is 2. Expected a whole number from 0 to 1",
  );
});

test("the hash changes with images, labels and normalisation, and with nothing else", () => {
  const shape = { channels: 2, height: 2, width: 3, classes: 5 };
  const { train } = syntheticDataset({ ...shape, train: 23, validation: 1, test: 1 });
  const { hash } = memorySource(train);
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(memorySource({ ...train, name: "another", images: train.images.slice() }).hash).toBe(hash);
  const labels = train.labels.map((label) => 4 - label);
  const images = train.images.map((value) => value ^ 1);
  const changed = [
    { labels },
    { images },
    { mean: [0.5, 0.4] },
    { std: [1, 2] },
    { classes: 6 },
    { height: 3, width: 2 },
  ];
  const hashes = changed.map((change) => memorySource({ ...train, ...change }).hash);
  expect(new Set([hash, ...hashes]).size).toBe(changed.length + 1);
});
