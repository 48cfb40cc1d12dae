import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IDX_IMAGES_MAGIC, IDX_LABELS_MAGIC, parseIdx, readIdxImages, readIdxLabels } from "./idx.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "guidance-idx-"));
});
afterAll(() => rm(folder, { recursive: true }));

function encode(magic: number, shape: readonly number[], data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  shape.forEach((size, axis) => {
    view.setUint32(4 + 4 * axis, size);
  });
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

async function put(name: string, bytes: Uint8Array): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, bytes);
  return file;
}

const images = fc
  .tuple(fc.nat(4), fc.nat(5), fc.nat(5))
  .chain(([count, height, width]) =>
    fc
      .uint8Array({ minLength: count * height * width, maxLength: count * height * width })
      .map((data) => ({ shape: [count, height, width], data })),
  );

test("property: what is encoded is parsed back", () => {
  fc.assert(
    fc.property(images, ({ shape, data }) => {
      expect(parseIdx(encode(IDX_IMAGES_MAGIC, shape, data), IDX_IMAGES_MAGIC, "x")).toEqual({ shape, data });
    }),
  );
});

test("property: any other length is refused with both sizes", () => {
  fc.assert(
    fc.property(images, fc.integer({ min: -20, max: 20 }), ({ shape, data }, change) => {
      fc.pre(change !== 0);
      const bytes = encode(IDX_IMAGES_MAGIC, shape, data);
      const other = new Uint8Array(Math.max(0, bytes.length + change));
      other.set(bytes.subarray(0, other.length));
      expect(() => parseIdx(other, IDX_IMAGES_MAGIC, "x")).toThrow(`it has ${other.length} bytes. Expected `);
    }),
  );
});

test("plain and gzipped files read the same", async () => {
  const bytes = encode(IDX_IMAGES_MAGIC, [2, 1, 2], Uint8Array.of(1, 2, 3, 255));
  const plain = await readIdxImages(await put("plain", bytes));
  expect(plain.shape).toEqual([2, 1, 2]);
  expect([...plain.data]).toEqual([1, 2, 3, 255]);
  const zipped = await readIdxImages(await put("zipped", gzipSync(bytes)));
  expect([...zipped.data]).toEqual([...plain.data]);
});

test("a missing file is named", async () => {
  await expect(readIdxImages(join(folder, "absent"))).rejects.toThrow(
    /^IDX file: cannot read ".*absent" \(no such file or folder\)/,
  );
});

test("a folder in the place of a file is called one", async () => {
  await expect(readIdxImages(folder)).rejects.toThrow(
    /^IDX file: ".*" is a folder\. Expected a readable file in the IDX format, plain or gzipped\. Put the file itself there\.$/,
  );
});

test("truncated files say what was expected and found", async () => {
  const bytes = encode(IDX_IMAGES_MAGIC, [3, 2, 2], new Uint8Array(12));
  const plain = await put("short", bytes.subarray(0, 20));
  await expect(readIdxImages(plain)).rejects.toThrow(/short" is truncated: it has 20 bytes. Expected 28 bytes./);
  const zipped = gzipSync(bytes);
  const half = await put("short.gz", zipped.subarray(0, zipped.length - 9));
  await expect(readIdxImages(half)).rejects.toThrow(`(${zipped.length - 9} bytes) cannot be decompressed`);
});

test("labels in the place of images are refused", async () => {
  const file = await put("labels", encode(IDX_LABELS_MAGIC, [2], Uint8Array.of(1, 2)));
  await expect(readIdxImages(file)).rejects.toThrow("begins with the magic number 2049. Expected 2051");
});

test("labels out of range are refused, the first one named", async () => {
  const file = await put("range", encode(IDX_LABELS_MAGIC, [4], Uint8Array.of(1, 9, 10, 12)));
  await expect(readIdxLabels(file, 10)).rejects.toThrow(
    /^IDX file: label 2 of ".*range" is 10. Expected 0 to 9 for 10 classes./,
  );
  expect([...(await readIdxLabels(file, 13)).data]).toEqual([1, 9, 10, 12]);
});
