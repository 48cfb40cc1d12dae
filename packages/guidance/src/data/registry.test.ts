import { expect, test } from "vitest";
import { datasets, loadDataset } from "./registry.ts";
import { syntheticDataset } from "./synthetic.ts";

test("data sets are found by name, one's own included", async () => {
  const splits = syntheticDataset({ height: 2, width: 3, train: 5, validation: 4, test: 3 });
  datasets.register("mine", async () => splits);
  expect(datasets.names).toEqual(["mnist", "fashion-mnist", "cifar10", "cifar100", "synthetic", "mine"]);
  expect(await loadDataset("mine")).toBe(splits);
  expect(() => datasets.register("mine", async () => splits)).toThrow('the name "mine" is taken');
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
