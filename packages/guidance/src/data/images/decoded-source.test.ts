import fc from "fast-check";
import { afterAll, expect, test, vi } from "vitest";
import type { BatchOptions } from "../batches.ts";
import type { ImageBatch } from "../source.ts";
import { BadImageError } from "./bad-image.ts";
import { decodeImage } from "./decode.ts";
import { DecodePool } from "./decode-pool.ts";
import { type DecodedSourceOptions, decodedSource } from "./decoded-source.ts";
import type { EncodedImages } from "./encoded.ts";
import { fixtureBytes, jpegNames } from "./fixtures.test.support.ts";
import { evaluationTransform, trainingTransform, transformImage } from "./transform.ts";

const pool = new DecodePool(2);
afterAll(() => pool.close());

const files = jpegNames.map((name) => new Uint8Array(fixtureBytes(name)));
const transform = trainingTransform({ size: 9 });

/** `count` images, which are the fixtures over and over, with what is bad in place of some. */
function encoded(count: number, bad: Readonly<Record<number, Uint8Array>> = {}): EncodedImages & { reads: number[] } {
  const reads: number[] = [];
  return {
    name: "fixtures train",
    count,
    classNames: ["a", "b", "c"],
    label: (index) => index % 3,
    read: async (index) => {
      reads.push(index);
      return { bytes: bad[index] ?? files[index % files.length], path: `folder/${index}.jpg` };
    },
    close: async () => {},
    reads,
  };
}

function open(images: EncodedImages, options: Partial<DecodedSourceOptions> = {}) {
  return decodedSource(images, { transform, workers: pool, ...options });
}

async function collect(batches: AsyncIterable<ImageBatch>): Promise<ImageBatch[]> {
  const collected: ImageBatch[] = [];
  for await (const batch of batches) collected.push(batch);
  return collected;
}

/** The image that a batch has at `place`. */
function imageAt({ images }: ImageBatch, place: number): Uint8Array {
  return images.subarray(place * 243, (place + 1) * 243);
}

test("images come in order, each with the crop of its own index, and their labels", async () => {
  const source = await open(encoded(8));
  expect(source).toMatchObject({ name: "fixtures train", channels: 3, height: 9, width: 9, classes: 3, count: 8 });
  const options = { batchSize: 3, lastBatch: "pad", shuffle: false, seed: 4, epoch: 1 } as const;
  const batches = await collect(source.batches(options));
  expect(batches.map(({ index, count }) => [index, count])).toEqual([
    [0, 3],
    [1, 3],
    [2, 2],
  ]);
  for (let image = 0; image < 8; image++) {
    const pixels = await decodeImage(files[image % files.length], "x");
    const expected = transformImage(pixels, transform, { seed: 4, epoch: 1, image });
    expect(imageAt(batches[Math.floor(image / 3)], image % 3)).toEqual(expected);
  }
  expect(batches.flatMap(({ labels }) => [...labels])).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 0]);
  expect([...batches[2].mask]).toEqual([1, 1, 0]);
  expect(new Set(imageAt(batches[2], 2))).toEqual(new Set([0]));
});

test("property: an epoch resumed at any batch goes on with the same batches, whatever is prepared ahead", async () => {
  const options = fc.record({
    batchSize: fc.integer({ min: 1, max: 5 }),
    lastBatch: fc.constantFrom("drop", "pad", "keep"),
    shuffle: fc.boolean(),
    seed: fc.nat(9),
    epoch: fc.nat(9),
  });
  const grouped = fc.boolean();
  await fc.assert(
    fc.asyncProperty(
      options,
      grouped,
      fc.integer({ min: 1, max: 4 }),
      fc.nat(9),
      async (options, inGroups, prefetch, at) => {
        const images = { ...encoded(13), ...(inGroups ? { groups: [4, 1, 0, 6, 2] } : {}) };
        const bad = { 3: new Uint8Array(), 4: new Uint8Array(5), 11: new Uint8Array(7) };
        const damaged = { ...images, read: encoded(13, bad).read };
        const whole = await collect((await open(images)).batches(options as BatchOptions));
        const start = at % (whole.length + 1);
        const resumed = (await open(images, { prefetch })).batches({ ...options, start } as BatchOptions);
        expect(await collect(resumed)).toEqual(whole.slice(start));
        const skipping = { onBadImage: "skip" } as const;
        const skipped = await collect((await open(damaged, skipping)).batches(options as BatchOptions));
        const later = (await open(damaged, { ...skipping, prefetch })).batches({ ...options, start } as BatchOptions);
        expect(await collect(later)).toEqual(skipped.slice(start));
      },
    ),
    { numRuns: 25 },
  );
});

test("a bad image fails its batch, and is named; other batches are not affected", async () => {
  const source = await open(encoded(6, { 4: new Uint8Array(), 5: files[0].subarray(0, 100) }));
  const batches = source.batches({ batchSize: 2, lastBatch: "drop", shuffle: false })[Symbol.asyncIterator]();
  await batches.next();
  await batches.next();
  const error = await batches.next().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(BadImageError);
  expect((error as Error).message).toContain('image "folder/4.jpg": it has 0 bytes.');
  expect(await batches.next()).toEqual({ done: true, value: undefined });
});

test("a bad image that is skipped gives its place to the next good one, is counted and reported once", async () => {
  const reported: string[] = [];
  const images = encoded(6, { 2: new Uint8Array(), 3: Uint8Array.of(1), 5: new Uint8Array(3) });
  const source = await open(images, { onBadImage: "skip", onBad: ({ path }) => reported.push(path) });
  const options = { batchSize: 6, lastBatch: "keep", shuffle: false } as const;
  const [batch] = await collect(source.batches(options));
  expect([...batch.labels]).toEqual([0, 1, 1, 1, 1, 0]);
  expect(imageAt(batch, 2)).toEqual(imageAt(batch, 4));
  expect(imageAt(batch, 3)).toEqual(imageAt(batch, 4));
  expect(imageAt(batch, 5)).toEqual(imageAt(batch, 0));
  await collect(source.batches({ ...options, shuffle: true, epoch: 1 }));
  expect(reported.sort()).toEqual(["folder/2.jpg", "folder/3.jpg", "folder/5.jpg"]);
  expect(source.badImages).toBe(3);
  expect([...batch.mask]).toEqual([1, 1, 1, 1, 1, 1]);
  const hopeless = encoded(3, { 0: new Uint8Array(), 1: new Uint8Array(), 2: new Uint8Array() });
  const none = (await open(hopeless, { onBadImage: "skip" })).batches({ ...options, batchSize: 3 });
  await expect(collect(none)).rejects.toThrow("3 in a row, from number 0 on, cannot be used");
});

test("a bad image that is skipped leaves its place empty where batches are padded, so that none counts twice", async () => {
  const images = encoded(7, { 2: new Uint8Array(), 3: Uint8Array.of(1), 6: new Uint8Array(3) });
  const source = await open(images, { onBadImage: "skip" });
  const options = { batchSize: 4, lastBatch: "pad", shuffle: false } as const;
  for (let epoch = 0; epoch < 2; epoch++) {
    const batches = await collect(source.batches(options));
    expect(batches.map(({ mask }) => [...mask])).toEqual([
      [1, 1, 0, 0],
      [1, 1, 0, 0],
    ]);
    expect(batches.map(({ labels }) => [...labels])).toEqual([
      [0, 1, 0, 0],
      [1, 2, 0, 0],
    ]);
    expect(batches.map(({ count }) => count)).toEqual([2, 2]);
    for (const place of [2, 3]) expect(new Set(imageAt(batches[0], place))).toEqual(new Set([0]));
  }
  expect(source.badImages).toBe(3);
});

test("no more is read than asked for: some batches ahead, and nothing after the loop is left", async () => {
  const images = encoded(600);
  const source = await open(images, { prefetch: 2 });
  images.reads.length = 0;
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  for await (const { index } of source.batches({ batchSize: 20, lastBatch: "drop", shuffle: false })) {
    await vi.waitFor(() => expect(images.reads.length).toBe((index + 3) * 20), 10_000);
    await pause();
    expect(images.reads.length).toBe((index + 3) * 20);
    if (index === 2) break;
  }
  const left = await open(images, { prefetch: 10 });
  images.reads.length = 0;
  for await (const _batch of left.batches({ batchSize: 50, lastBatch: "drop", shuffle: false })) break;
  const then = images.reads.length;
  await pause();
  expect(images.reads.length).toBeLessThanOrEqual(then + 6);
  expect(images.reads.length).toBeLessThan(300);
});

test("errors of reading surface, and a closed source gives nothing more", async () => {
  const broken = { ...encoded(4), read: (index: number) => encoded(4).read(index) };
  const source = await open(broken);
  broken.read = () => Promise.reject(new Error("the disk is gone"));
  const options = { batchSize: 2, lastBatch: "drop", shuffle: false } as const;
  await expect(collect(source.batches(options))).rejects.toThrow("the disk is gone");
  const own = await decodedSource(encoded(60), { transform, workers: 1 });
  const batches = own.batches(options)[Symbol.asyncIterator]();
  await batches.next();
  await own.close();
  await expect(
    (async () => {
      while (!(await batches.next()).done);
    })(),
  ).rejects.toThrow("closed");
  expect(() => own.batches(options)).toThrow('batches of "fixtures train": the source is closed');
});

test("splits without images or labels, and options out of range, are refused", async () => {
  await expect(open(encoded(0))).rejects.toThrow('images of "fixtures train": there are none');
  await expect(open({ ...encoded(3), label: () => -1 })).rejects.toThrow(/label -1: the labels are hidden.*validation/);
  await expect(open({ ...encoded(3), label: () => 3 })).rejects.toThrow(
    "image 0 is of class 3. Expected a class from 0 to 2",
  );
  await expect(open(encoded(3), { prefetch: 0 })).rejects.toThrow("prefetch is 0");
  await expect(open(encoded(3), { std: [1] })).rejects.toThrow("mean has 3 and std 1 values. Expected 3");
  await expect(open(encoded(3), { workers: 0 })).rejects.toThrow("there are 0. Expected a whole number of at least 1");
  const source = await open(encoded(3));
  expect(() => source.batches({ batchSize: 4, lastBatch: "drop", shuffle: false })).toThrow("has 3 images");
});

test("the hash follows labels, names, transform, normalisation and what is known of the files", async () => {
  const base = encoded(6);
  const variants: [EncodedImages, Partial<DecodedSourceOptions>][] = [
    [base, {}],
    [{ ...base, label: (index) => (index + 1) % 3 }, {}],
    [{ ...base, classNames: ["a", "b", "d"] }, {}],
    [{ ...base, fingerprint: "paths" }, {}],
    [encoded(7), {}],
    [encoded(6, { 5: files[0] }), {}],
    [base, { transform: evaluationTransform({ size: 9 }) }],
    [base, { mean: [0, 0, 0] }],
  ];
  const hashes = await Promise.all(variants.map(async ([images, options]) => (await open(images, options)).hash));
  expect(new Set(hashes).size).toBe(variants.length);
  expect((await open({ ...encoded(6), name: "another" }, { prefetch: 5, seed: 3 })).hash).toBe(hashes[0]);
});
