import fc from "fast-check";
import { expect, test } from "vitest";
import { type BatchOptions, batches, type LastBatch } from "./batches.ts";
import { memorySource } from "./memory-source.ts";
import { syntheticDataset } from "./synthetic.ts";

const { train } = syntheticDataset({ channels: 2, height: 2, width: 3, classes: 5, train: 23, validation: 1, test: 1 });

/** All values an async iterable gives. */
async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}

test("property: a source gives the batches of its data set, before they are normalised", async () => {
  const lastBatch = fc.constantFrom<LastBatch>("drop", "pad", "keep");
  const range = { batchSize: fc.integer({ min: 1, max: 23 }), seed: fc.nat(9), epoch: fc.nat(9), start: fc.nat(1) };
  await fc.assert(
    fc.asyncProperty(fc.record({ lastBatch, shuffle: fc.boolean(), ...range }), async (options: BatchOptions) => {
      const expected = [...batches(train, options)];
      const given = await collect(memorySource(train).batches(options));
      const pixels = 6;
      const normalised = given.map(({ images, count, ...batch }) => {
        const values = Float32Array.from(images, (value, place) => {
          const channel = Math.floor(place / pixels) % 2;
          return place < count * 2 * pixels ? (value / 255 - train.mean[channel]) / train.std[channel] : 0;
        });
        return { ...batch, count, images: values };
      });
      expect(normalised).toEqual(expected);
    }),
  );
});

test("options that do not fit are refused before the first batch", () => {
  const source = memorySource(train);
  expect(() => source.batches({ batchSize: 24, lastBatch: "drop", shuffle: false })).toThrow("has 23 images");
  expect(() => source.batches({ batchSize: 4, lastBatch: "drop", shuffle: false, start: 6 })).toThrow("from 0 to 5");
});

test("the hash changes with images, labels and normalisation, and with nothing else", () => {
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
