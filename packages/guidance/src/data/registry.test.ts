import { expect, test } from "vitest";
import { memorySource } from "./memory-source.ts";
import { datasets, loadDataset } from "./registry.ts";
import { syntheticDataset } from "./synthetic.ts";

test("data sets are found by name, one's own included", async () => {
  const splits = syntheticDataset({ height: 2, width: 3, train: 5, validation: 4, test: 3 });
  datasets.register("mine", async () => splits);
  expect(datasets.names).toEqual(["mnist", "fashion-mnist", "cifar10", "cifar100", "synthetic", "folder", "mine"]);
  const { train, validation, test: held } = await loadDataset("mine");
  expect([train.count, validation.count, held.count]).toEqual([5, 4, 3]);
  for await (const batch of train.batches({ batchSize: 5, lastBatch: "drop", shuffle: false }))
    expect(batch.images).toEqual(splits.train.images);
  expect(() => datasets.register("mine", async () => splits)).toThrow('the name "mine" is taken');
});

test("a source of one's own is taken as it is, and closed where splits do not fit", async () => {
  const { train, validation, test: held } = syntheticDataset({ height: 2, width: 2, train: 4, validation: 4, test: 4 });
  let closed = 0;
  const source = { ...memorySource(train), close: async () => void closed++ };
  datasets.register("streamed", async () => ({ train: source, validation, test: held }));
  expect((await loadDataset("streamed")).train).toBe(source);
  const other = memorySource(syntheticDataset({ height: 3, width: 2 }).test);
  datasets.register("misfit", async () => ({ train: source, validation, test: other }));
  await expect(loadDataset("misfit")).rejects.toThrow(
    '"synthetic test" has 256 images [1, 3, 2] in 10 classes. Expected some, [1, 2, 2] in 10 classes',
  );
  expect(closed).toBe(1);
});

test("an unknown name is refused with the known ones", async () => {
  await expect(loadDataset("mnits")).rejects.toThrow('no data set "mnits". Expected one of mnist, fashion-mnist');
});

test("data that do not fit together are refused by name", async () => {
  const { train, validation, test: held } = syntheticDataset({ height: 1, width: 2, classes: 3 });
  const broken = {
    images: [{ images: train.images.subarray(1) }, "images hold 2047 values. Expected 2048"],
    labels: [{ labels: train.labels.subarray(1) }, "there are 1023 labels. Expected 1024"],
    mean: [{ mean: [] }, "mean has 0 and std 1 values. Expected 1"],
    classes: [{ classes: 2 }, "label 2 is 2. Expected 0 to 1 for 2 classes"],
  } as const;
  for (const [name, [change, message]] of Object.entries(broken)) {
    datasets.register(`broken ${name}`, async () => ({ train: { ...train, ...change }, validation, test: held }));
    await expect(loadDataset(`broken ${name}`)).rejects.toThrow(`data set "synthetic train": ${message}`);
  }
});
