import { expect, test } from "vitest";
import { checkDataset, type ImageDataset, imageSize } from "./dataset.ts";
import { syntheticDataset } from "./synthetic.ts";

test("shapes are as asked for, and the data fit together", () => {
  const synthetic = { channels: 3, height: 5, width: 7, classes: 4, train: 9, validation: 8, test: 6 };
  const { train, validation, test: held } = syntheticDataset(synthetic);
  for (const split of [train, validation, held]) checkDataset(split);
  expect([train.count, validation.count, held.count]).toEqual([9, 8, 6]);
  expect(train.images).toHaveLength(9 * 105);
  expect([...train.labels]).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0]);
});

test("the seed decides every value, and splits differ", () => {
  const options = { train: 20, validation: 20, test: 20 };
  const first = syntheticDataset(options);
  expect(syntheticDataset(options)).toEqual(first);
  expect(syntheticDataset({ ...options, seed: 1 }).train.images).not.toEqual(first.train.images);
  expect(first.validation.images).not.toEqual(first.train.images);
});

test("mean and std are those of the values", () => {
  const { train } = syntheticDataset({ classes: 200, train: 400 });
  const values = Array.from(train.images, (value) => value / 255);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  expect(mean).toBeCloseTo(train.mean[0], 2);
  expect(std).toBeCloseTo(train.std[0], 2);
});

test("images of a class are closer to each other than to those of another", () => {
  const { train, test: held } = syntheticDataset();
  const distance = (a: ImageDataset, i: number, b: ImageDataset, j: number): number => {
    const size = imageSize(a);
    let sum = 0;
    for (let value = 0; value < size; value++) {
      sum += (a.images[i * size + value] - b.images[j * size + value]) ** 2;
    }
    return sum;
  };
  for (let image = 0; image < 10; image++) {
    const distances = Array.from({ length: 10 }, (_, other) => distance(train, image, held, other));
    expect(distances.indexOf(Math.min(...distances))).toBe(train.labels[image]);
  }
});

test("impossible sizes are refused by name", () => {
  expect(() => syntheticDataset({ height: 0 })).toThrow("height is 0. Expected a whole number of at least 1");
  expect(() => syntheticDataset({ height: 1e5, width: 1e5, train: 1 })).toThrow(
    'data set "synthetic": 1 images to train on of 1 x 100000 x 100000 values take 10.00 GB. Expected at most 4.29 GB',
  );
  expect(() => syntheticDataset({ classes: 300 })).toThrow("classes is 300. Expected a whole number from 1 to 256");
});
