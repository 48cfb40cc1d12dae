import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { BatchOptions } from "../batches.ts";
import type { ImageBatch } from "../source.ts";
import { fixtureBytes, jpegNames } from "./fixtures.test.support.ts";
import { type OpenedImages, type OpenImageOptions, openImageData } from "./open.ts";
import { type StoredImage, writeImageFolder, writeParquet, writeTar } from "./stored.test.support.ts";

const root = mkdtempSync(join(tmpdir(), "guidance-images-"));
afterAll(() => rmSync(root, { recursive: true }));

const classNames = ["apple", "pear", "quince"];
/** The fixtures, class by class, as a folder lists them. */
const train: StoredImage[] = classNames.flatMap((_, label) =>
  jpegNames.map((name) => ({ bytes: fixtureBytes(name), label, name: `${label}-${name}` })),
);
const held = train.filter((_, index) => index % 3 === 0);

const opened: OpenedImages[] = [];
afterEach(() => Promise.all(opened.splice(0).map((data) => data.close())));

async function open(name: string, options: OpenImageOptions = {}): Promise<OpenedImages> {
  const data = await openImageData(join(root, name), { size: 16, workers: 1, ...options });
  opened.push(data);
  return data;
}

async function collect(batches: AsyncIterable<ImageBatch>): Promise<ImageBatch[]> {
  const collected: ImageBatch[] = [];
  for await (const batch of batches) collected.push(batch);
  return collected;
}

beforeAll(() => {
  writeImageFolder(join(root, "folder/train"), classNames, train);
  writeImageFolder(join(root, "folder/val"), classNames, held);
  writeParquet(join(root, "parquet/data/train-00000-of-00002.parquet"), train.slice(0, 7), {
    rowGroupSize: 3,
    classNames,
  });
  writeParquet(join(root, "parquet/data/train-00001-of-00002.parquet"), train.slice(7), {
    rowGroupSize: 4,
    classNames,
  });
  writeParquet(join(root, "parquet/data/validation-00000-of-00001.parquet"), held, { classNames });
  const secret = held.map((image) => ({ ...image, label: -1 }));
  writeParquet(join(root, "parquet/data/test-00000-of-00001.parquet"), secret, { classNames });
  writeTar(join(root, "tar/train-000000.tar"), train.slice(0, 10));
  writeTar(join(root, "tar/train-000001.tar"), train.slice(10));
  writeTar(join(root, "tar/val/000000.tar"), held);
});

test("the same images in a folder, in Parquet and in tar give the same batches", async () => {
  const options = { batchSize: 5, lastBatch: "pad", shuffle: false, seed: 3, epoch: 1 } as const;
  const inFolder = await open("folder");
  for (const name of ["parquet", "tar"]) {
    const other = await open(name);
    for (const split of ["train", "validation"] as const) {
      expect(other[split]).toMatchObject({ name: `${name} ${split}`, count: inFolder[split].count, classes: 3 });
      const batches = await collect(other[split].batches(options));
      expect(batches).toEqual(await collect(inFolder[split].batches(options)));
      expect(batches.flatMap(({ labels, count }) => [...labels.subarray(0, count)])).toEqual(
        (split === "train" ? train : held).map(({ label }) => label),
      );
    }
  }
  expect(inFolder.train.classNames).toEqual(classNames);
  expect((await open("parquet")).train.classNames).toEqual(classNames);
  expect((await open("tar")).train.classNames).toEqual(["0", "1", "2"]);
});

test("property of each kind: an epoch in random order resumes at any batch", async () => {
  for (const name of ["folder", "parquet", "tar"]) {
    const { train } = await open(name, { prefetch: 1 });
    const options: BatchOptions = { batchSize: 4, lastBatch: "keep", shuffle: true, seed: 5, epoch: 2 };
    const whole = await collect(train.batches(options));
    expect(whole.flatMap(({ labels }) => [...labels]).sort()).toEqual(
      train.count === 18 ? [..."000000111111222222"].map(Number) : [],
    );
    for (const start of [1, 3, 5]) {
      expect(await collect(train.batches({ ...options, start }))).toEqual(whole.slice(start));
    }
  }
});

test("a test split without labels is not used, and said to be; validation then serves as both", async () => {
  const data = await open("parquet");
  expect(data.testIsValidation).toBe(true);
  expect(data.test).toBe(data.validation);
  expect(data.heldOut).toBe(0);
  expect(data.notes).toEqual([
    'the images of "parquet test" are not used: 6 of 6 have the label -1, which is hidden',
    '"parquet" has no test split with labels: the validation split serves as both',
  ]);
  mkdirSync(join(root, "flat test/test"), { recursive: true });
  cpSync(join(root, "folder"), join(root, "flat test"), { recursive: true });
  writeFileSync(join(root, "flat test/test/1.jpg"), fixtureBytes("grey.jpg"));
  expect((await open("flat test")).notes[0]).toMatch(/test" are not used: they lie in no folders of classes/);
  writeImageFolder(join(root, "flat test/test"), classNames, held);
  const whole = await open("flat test");
  expect([whole.testIsValidation, whole.test.name, whole.notes]).toEqual([false, "flat test test", []]);
});

test("without a validation split a fixed part of the training images is held out, and said to be", async () => {
  writeParquet(join(root, "only train/train.parquet"), train, { rowGroupSize: 5, classNames });
  const data = await open("only train", { holdOut: 0.25 });
  expect([data.train.count, data.validation.count, data.heldOut]).toEqual([13, 5, 5]);
  expect(data.notes[0]).toBe('"only train" has no validation split: 5 of 18 training images are held out for it');
  const again = await open("only train", { holdOut: 0.25, seed: 9 });
  expect(again.validation.hash).toBe(data.validation.hash);
  const options = { batchSize: 5, lastBatch: "keep", shuffle: true } as const;
  const labels = [
    ...(await collect(data.train.batches(options))),
    ...(await collect(data.validation.batches(options))),
  ];
  expect(labels.flatMap((batch) => [...batch.labels]).sort()).toEqual(train.map(({ label }) => label));
  await expect(open("only train", { holdOut: 0 })).rejects.toThrow("0 of 18 would be held out");
});

test("folders that have no training images or do not fit together are refused by name", async () => {
  await expect(open("nowhere")).rejects.toThrow(/nowhere": it cannot be read \(no such file or folder\)/);
  mkdirSync(join(root, "empty"));
  await expect(open("empty")).rejects.toThrow("it has no images. Expected a folder `train`");
  writeTar(join(root, "only val/val-0.tar"), held);
  await expect(open("only val")).rejects.toThrow("it has images for validation, and none for training");
  writeTar(join(root, "strays/a.tar"), held);
  await expect(open("strays")).rejects.toThrow('a.tar" does not say which split it belongs to');
  writeImageFolder(join(root, "missing/train"), classNames, train);
  writeImageFolder(
    join(root, "missing/validation"),
    classNames,
    held.filter(({ label }) => label !== 1),
  );
  await expect(open("missing")).rejects.toThrow(/validation": there is no folder "pear"\. Expected the 3 classes/);
  writeParquet(join(root, "names/train.parquet"), train, { classNames });
  writeParquet(join(root, "names/val.parquet"), held, { classNames: ["apple", "plum", "quince"] });
  await expect(open("names")).rejects.toThrow('class 1 is "plum", and "pear" in another split');
  await expect(open("folder", { resize: 10 })).rejects.toThrow("the shorter side becomes 10, of which 16 are kept");
});

test("closing the sources one by one ends their threads", async () => {
  const data = await openImageData(join(root, "folder"), { size: 8, workers: 1 });
  const options = { batchSize: 2, lastBatch: "drop", shuffle: true } as const;
  for await (const _batch of data.train.batches(options)) break;
  await data.train.close();
  expect(await collect(data.validation.batches(options))).toHaveLength(3);
  await data.validation.close();
  await data.test.close();
  await data.close();
  expect(() => data.validation.batches(options)).toThrow("the source is closed");
});
