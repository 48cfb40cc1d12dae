import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test, vi } from "vitest";
import { modestly } from "../../fuzz.test.support.ts";
import { DataError } from "../errors.ts";
import { BadImageError } from "./bad-image.ts";
import { FileReader } from "./file-reader.ts";
import { fixtureBytes, jpegNames } from "./fixtures.test.support.ts";
import { openParquetImages } from "./parquet-images.ts";
import { writeParquet } from "./stored.test.support.ts";

const root = mkdtempSync(join(tmpdir(), "guidance-parquet-"));
afterAll(() => rmSync(root, { recursive: true }));

const images = [...jpegNames, ...jpegNames].map((name, index) => ({
  bytes: fixtureBytes(name),
  label: index % 5,
  name: `${index}.jpg`,
}));
const classNames = ["a", "b", "c", "d", "e"];

test("images of several shards and row groups are read in any order, with labels and class names", async () => {
  const paths = [join(root, "one.parquet"), join(root, "two.parquet")];
  writeParquet(paths[0], images.slice(0, 7), { rowGroupSize: 3, classNames });
  writeParquet(paths[1], images.slice(7), { rowGroupSize: 2, classNames });
  const encoded = await openParquetImages(paths, { name: "photos train", keptImages: 1 });
  expect(encoded).toMatchObject({ name: "photos train", count: 12, classNames, groups: [3, 3, 1, 2, 2, 1] });
  for (const index of [11, 0, 6, 7, 5, 1, 10, 0]) {
    const { bytes, path } = await encoded.read(index);
    expect(Buffer.from(bytes)).toEqual(images[index].bytes);
    expect(path).toBe(index < 7 ? `${paths[0]}, row ${index}` : `${paths[1]}, row ${index - 7}`);
    expect(encoded.label(index)).toBe(images[index].label);
  }
  await encoded.close();
});

test("row groups are read once while they are kept", async () => {
  const path = join(root, "kept.parquet");
  writeParquet(path, images, { rowGroupSize: 3 });
  const encoded = await openParquetImages([path], { name: "x", keptImages: 9 });
  const read = vi.spyOn(FileReader.prototype, "read");
  const readsOf = async (...indices: number[]) => {
    read.mockClear();
    await Promise.all(indices.map((index) => encoded.read(index)));
    return read.mock.calls.length;
  };
  const once = await readsOf(0);
  expect(await readsOf(2, 1, 0)).toBe(0);
  expect(await readsOf(3, 4, 6, 5, 8)).toBe(2 * once);
  expect(await readsOf(0, 5, 7)).toBe(0);
  expect(await readsOf(9)).toBe(once);
  expect(await readsOf(3, 0)).toBe(once);
  read.mockRestore();
  await encoded.close();
});

test("without Hugging Face's metadata the columns are known by their types, and classes by their numbers", async () => {
  const path = join(root, "plain.parquet");
  writeParquet(path, images.slice(0, 3));
  const encoded = await openParquetImages([path], { name: "x" });
  expect(encoded.classNames).toEqual(["0", "1", "2"]);
  await encoded.close();
  const named = await openParquetImages([path], { name: "x", classNames });
  expect(named.classNames).toEqual(classNames);
  await named.close();
});

test("a row without an image is a bad image, and a hidden label is -1", async () => {
  const path = join(root, "null.parquet");
  writeParquet(path, [images[0], { ...images[1], bytes: null, label: -1 }]);
  const encoded = await openParquetImages([path], { name: "x" });
  await expect(encoded.read(1)).rejects.toThrow(BadImageError);
  await expect(encoded.read(1)).rejects.toThrow('null.parquet, row 1": the row has no image');
  expect([encoded.label(1), (await encoded.read(0)).bytes.length]).toEqual([-1, images[0].bytes.length]);
  await encoded.close();
});

test("what is truncated or damaged is refused with shard and offset", async () => {
  const path = join(root, "whole.parquet");
  writeParquet(path, images, { rowGroupSize: 5, classNames });
  const whole = readFileSync(path);
  const open = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(root, name), bytes);
    return openParquetImages([path, join(root, name)], { name: "x" });
  };
  const half = whole.subarray(0, whole.length >> 1);
  await expect(open("half.parquet", half)).rejects.toThrow(
    `half.parquet": at offset ${half.length - 8}, the footer cannot be read (parquet file invalid (footer != PAR1)). Expected a whole file`,
  );
  await expect(open("none.parquet", new Uint8Array())).rejects.toThrow(
    "at offset 0, it has 0 bytes, too few for Parquet",
  );
  const shifted = Buffer.concat([whole.subarray(0, 4), whole.subarray(400)]);
  await expect(open("middle.parquet", shifted)).rejects.toThrow(/middle\.parquet": at offset \d+, /);
  const other = join(root, "other.parquet");
  writeParquet(other, images, { classNames: ["v", "w", "x", "y", "z"] });
  await expect(openParquetImages([path, other], { name: "x" })).rejects.toThrow("name their classes differently");
  await expect(openParquetImages([join(root, "no.parquet")], { name: "x" })).rejects.toThrow(
    'no.parquet": it cannot be read',
  );
});

test("a shard that pyarrow wrote is read, in pages of the first version", async () => {
  const path = join(root, "pyarrow.parquet");
  writeFileSync(path, fixtureBytes("pyarrow.parquet"));
  const encoded = await openParquetImages([path], { name: "x" });
  expect(encoded).toMatchObject({ count: 6, classNames: ["one", "two", "three"], groups: [4, 2] });
  for (const [index, name] of jpegNames.entries()) {
    expect(Buffer.from((await encoded.read(index)).bytes)).toEqual(fixtureBytes(name));
    expect(encoded.label(index)).toBe(index % 3);
  }
  await encoded.close();
});

/** Reads all of a shard; throws unless that works or is refused as it should. */
async function tryShard(path: string): Promise<void> {
  const opened = await openParquetImages([path], { name: "x" }).catch((error: unknown) => error);
  if (opened instanceof Error) {
    expect(opened).toBeInstanceOf(DataError);
    return;
  }
  const encoded = opened as Awaited<ReturnType<typeof openParquetImages>>;
  for (let index = 0; index < encoded.count; index++) {
    const read = await encoded.read(index).catch((error: unknown) => error);
    if (read instanceof Error) expect(read).toBeInstanceOf(DataError);
    else expect(read).toMatchObject({ bytes: expect.any(Uint8Array) });
  }
  await encoded.close();
}

test("property: damaged shards are read or refused, and nothing else (10,000)", async () => {
  const path = join(root, "fuzz.parquet");
  const tiny = images.slice(0, 6).map((image, index) => ({ ...image, bytes: image.bytes.subarray(0, 10 + index) }));
  writeParquet(path, tiny, { rowGroupSize: 4, classNames });
  const shards = [readFileSync(path), fixtureBytes("pyarrow.parquet")];
  const part = fc.double({ min: 0, max: 1, noNaN: true });
  const damage = fc.array(fc.tuple(part, fc.nat(255)), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...shards), damage, fc.option(part, { freq: 4 }), async (whole, changes, cut) => {
      const bytes = Buffer.from(whole.subarray(0, Math.floor((cut ?? 1) * whole.length)));
      for (const [at, value] of changes) if (bytes.length > 0) bytes[Math.floor(at * (bytes.length - 1))] = value;
      writeFileSync(path, bytes);
      await modestly(() => tryShard(path));
    }),
    { numRuns: 10_000 },
  );
});

test("a page header whose counts are damaged, which keeps other readers busy for ever, is refused", async () => {
  const path = join(root, "counts.parquet");
  const tiny = images.slice(0, 6).map((image, index) => ({ ...image, bytes: image.bytes.subarray(0, 10 + index) }));
  writeParquet(path, tiny, { rowGroupSize: 4, classNames });
  const whole = readFileSync(path);
  // The header of a page in its compact encoding: the counts of values, nulls and rows follow each other.
  const counts = whole.indexOf(Buffer.of(0x15, 8, 0x15, 0, 0x15, 8));
  expect(counts).toBeGreaterThan(0);
  for (let at = counts; at < counts + 6; at++) {
    for (const value of [0x7f, 0xe6, 0xff]) {
      writeFileSync(
        path,
        whole.map((byte, place) => (place === at ? value : byte)),
      );
      const read = async () => {
        const encoded = await openParquetImages([path], { name: "x" });
        await encoded.read(0).finally(encoded.close);
      };
      await read().catch((error: unknown) => expect(error).toBeInstanceOf(DataError));
    }
  }
});
