import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { CIFAR10, CIFAR100, type CifarFormat, parseCifar } from "./cifar.ts";
import { DataError } from "./errors.ts";
import { loadDataset } from "./registry.ts";

const root = mkdtempSync(join(tmpdir(), "guidance-cifar-"));
afterAll(() => rmSync(root, { recursive: true }));

/** `count` records whose images begin with their number and whose class is it, too; coarse classes are 255. */
function records({ labelBytes, classes }: CifarFormat, count: number): Buffer {
  const size = labelBytes + 3072;
  const bytes = Buffer.alloc(count * size, 255);
  for (let image = 0; image < count; image++) {
    bytes[image * size + labelBytes - 1] = image % classes;
    bytes.fill(image % 251, image * size + labelBytes, (image + 1) * size);
  }
  return bytes;
}

test("records are classes and planes of colour", () => {
  for (const format of [CIFAR10, CIFAR100]) {
    const { images, labels } = parseCifar(records(format, 105), format, "x.bin");
    expect([...labels]).toEqual(Array.from({ length: 105 }, (_, image) => image % format.classes));
    expect(images).toHaveLength(105 * 3072);
    for (const image of [0, 1, 104]) {
      expect([images[image * 3072], images[(image + 1) * 3072 - 1]]).toEqual([image, image]);
    }
  }
});

test("both load by name, from the folder of the files or the one above, and validate with the last images", async () => {
  mkdirSync(join(root, "cifar-10-batches-bin"));
  for (let part = 1; part <= 5; part++) {
    writeFileSync(join(root, `cifar-10-batches-bin/data_batch_${part}.bin`), records(CIFAR10, 1005));
  }
  writeFileSync(join(root, "cifar-10-batches-bin/test_batch.bin"), records(CIFAR10, 7));
  const { train, validation, test: held } = await loadDataset("cifar10", { folder: root });
  expect(train).toMatchObject({ name: "cifar10 train", count: 25, channels: 3, height: 32, width: 32, classes: 10 });
  expect([validation.count, held.count, held.name]).toEqual([5000, 7, "cifar10 test"]);
  const labels: number[] = [];
  for await (const batch of validation.batches({ batchSize: 1000, lastBatch: "drop", shuffle: false }))
    labels.push(...batch.labels);
  expect(labels.slice(-3)).toEqual([2, 3, 4]);
  writeFileSync(join(root, "train.bin"), records(CIFAR100, 5001));
  writeFileSync(join(root, "test.bin"), records(CIFAR100, 3));
  expect((await loadDataset("cifar100", { folder: root })).train).toMatchObject({ count: 1, classes: 100 });
});

test("what is missing or damaged is refused by name", async () => {
  await expect(loadDataset("cifar10")).rejects.toThrow('data set "cifar10": no folder is given');
  await expect(loadDataset("cifar100", { folder: join(root, "x") })).rejects.toThrow(
    /"train.bin" cannot be read in ".*" \(no such file or folder\)/,
  );
  expect(() => parseCifar(new Uint8Array(3073 + 5), CIFAR10, "a.bin")).toThrow(
    'CIFAR file "a.bin": it has 3078 bytes, and at offset 3073 a part of a record begins. Expected records of 3073 bytes',
  );
  expect(() => parseCifar(records(CIFAR100, 12), { ...CIFAR100, classes: 10 }, "b.bin")).toThrow(
    'CIFAR file "b.bin": at offset 30741 the label is 10. Expected 0 to 9',
  );
});

test("property: any bytes are records or refused (10,000)", () => {
  const damage = fc.array(fc.tuple(fc.nat(7000), fc.nat(255)), { maxLength: 4 });
  // whole records, give or take a byte, and any length
  const length = (record: number) =>
    fc.oneof(
      fc.tuple(fc.nat(2), fc.integer({ min: -1, max: 1 })).map(([count, more]) => Math.max(0, count * record + more)),
      fc.nat(7000),
    );
  const format = fc.constantFrom(CIFAR10, CIFAR100);
  const file = format.chain((format) => fc.tuple(fc.constant(format), length(format.labelBytes + 3072)));
  fc.assert(
    fc.property(file, damage, ([format, length], changes) => {
      const bytes = new Uint8Array(length);
      for (const [at, value] of changes) if (at < length) bytes[at] = value;
      try {
        const { images, labels } = parseCifar(bytes, format, "x");
        expect(images.length / 3072).toBe(labels.length);
        expect(labels.every((label) => label < format.classes)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
      }
    }),
    { numRuns: 10_000 },
  );
});
