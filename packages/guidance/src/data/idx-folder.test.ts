import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ImageDataset } from "./dataset.ts";
import { FASHION_MNIST_FOLDER, loadFashionMnist } from "./fashion-mnist.ts";
import { loadMnist } from "./mnist.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "guidance-mnist-"));
});
afterAll(() => rm(folder, { recursive: true }));

function header(...words: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, index) => {
    view.setUint32(4 * index, word);
  });
  return new Uint8Array(view.buffer);
}

/** Mean and standard deviation of bytes scaled to 0..1, from their histogram. */
function moments(...parts: Uint8Array[]): { mean: number; std: number } {
  const histogram = new Float64Array(256);
  for (const part of parts) for (const value of part) histogram[value]++;
  const total = histogram.reduce((sum, count) => sum + count, 0);
  const mean = histogram.reduce((sum, count, value) => sum + count * value, 0) / total / 255;
  const variance = histogram.reduce((sum, count, value) => sum + count * (value / 255 - mean) ** 2, 0) / total;
  return { mean, std: Math.sqrt(variance) };
}

function expectFormat(dataset: ImageDataset, name: string, count: number): void {
  expect(dataset).toMatchObject({ name, count, channels: 1, height: 28, width: 28, classes: 10 });
  expect(dataset.images).toHaveLength(count * 784);
  expect(dataset.labels).toHaveLength(count);
}

test("MNIST is whole, split and normalised by its own numbers", async () => {
  const { train, validation, test: held } = await loadMnist();
  expectFormat(train, "mnist train", 55_000);
  expectFormat(validation, "mnist validation", 5000);
  expectFormat(held, "mnist test", 10_000);
  // The first labels of the training file, and the last ones, which are the last of the validation split.
  expect([...train.labels.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9]);
  expect([...validation.labels.subarray(-5)]).toEqual([8, 3, 5, 6, 8]);
  const { mean, std } = moments(train.images, validation.images);
  expect(train.mean[0]).toBeCloseTo(mean, 4);
  expect(train.std[0]).toBeCloseTo(std, 4);
});

test("Fashion-MNIST, where it is installed, is whole; elsewhere the error says how to get it", async () => {
  const installed = await access(FASHION_MNIST_FOLDER).then(
    () => true,
    () => false,
  );
  if (!installed) {
    console.warn(`NOT RUN: Fashion-MNIST is not installed in ${FASHION_MNIST_FOLDER}; only its error was tested`);
    await expect(loadFashionMnist()).rejects.toThrow("apt-get install dataset-fashion-mnist");
    return;
  }
  const { train, validation, test: held } = await loadFashionMnist();
  expectFormat(train, "fashion-mnist train", 55_000);
  expectFormat(held, "fashion-mnist test", 10_000);
  const { mean, std } = moments(train.images, validation.images);
  expect(train.mean[0]).toBeCloseTo(mean, 4);
  expect(train.std[0]).toBeCloseTo(std, 4);
});

test("an empty folder is refused with the missing file and how to get it", async () => {
  await expect(loadFashionMnist({ folder })).rejects.toThrow(
    /no readable file "train-images-idx3-ubyte" or ".*\.gz"\. Expected the four .*dataset-fashion-mnist/,
  );
});

test("files that do not belong together, and too few images to validate, are refused", async () => {
  await writeFile(join(folder, "train-images-idx3-ubyte"), Buffer.concat([header(2051, 2, 1, 1), Buffer.from([1, 2])]));
  await writeFile(join(folder, "train-labels-idx1-ubyte"), Buffer.concat([header(2049, 1), Buffer.from([1])]));
  await expect(loadMnist({ folder })).rejects.toThrow(/has 2 images and "train-labels-idx1-ubyte" has 1 labels/);
  await writeFile(join(folder, "train-labels-idx1-ubyte"), Buffer.concat([header(2049, 2), Buffer.from([1, 2])]));
  await writeFile(join(folder, "t10k-images-idx3-ubyte"), header(2051, 0, 1, 1));
  await writeFile(join(folder, "t10k-labels-idx1-ubyte"), header(2049, 0));
  await expect(loadMnist({ folder })).rejects.toThrow(
    "it has 2 training images, the last 5000 of which would validate",
  );
});

test.each([
  ["of another size", [3, 9, 8], /"t10k-images-idx3-ubyte" in ".*" has images of 9 x 8\. Expected 8 x 8, the size of/],
  ["that are none", [0, 8, 8], /"t10k-images-idx3-ubyte" in ".*" has 0 images\. Expected at least 1 to test on\./],
])("test images %s are refused when they are read", async (_, [count, height, width], message) => {
  const put = (name: string, words: number[], length: number) =>
    writeFile(join(folder, name), Buffer.concat([header(...words), Buffer.alloc(length)]));
  await put("train-images-idx3-ubyte", [2051, 5001, 8, 8], 5001 * 64);
  await put("train-labels-idx1-ubyte", [2049, 5001], 5001);
  await put("t10k-images-idx3-ubyte", [2051, count, height, width], count * height * width);
  await put("t10k-labels-idx1-ubyte", [2049, count], count);
  await expect(loadMnist({ folder })).rejects.toThrow(message);
});
