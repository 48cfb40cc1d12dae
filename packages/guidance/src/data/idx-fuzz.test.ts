/** Damaged IDX files, 10,000 of them: the values that their header and their bytes say, or a DataError; quickly, and no more memory than they have bytes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { modestly } from "../fuzz.test.support.ts";
import { DataError } from "./errors.ts";
import { decodeIdx, IDX_IMAGES_MAGIC, IDX_LABELS_MAGIC, readIdxImages } from "./idx.ts";
import { loadIdxFolder } from "./idx-folder.ts";

const root = mkdtempSync(join(tmpdir(), "guidance-idx-fuzz-"));
afterAll(() => rmSync(root, { recursive: true }));

function encode(magic: number, shape: readonly number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(magic);
  for (const [axis, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * axis);
  return Buffer.concat([header, data]);
}

const files = {
  images: encode(
    IDX_IMAGES_MAGIC,
    [6, 5, 4],
    Uint8Array.from({ length: 120 }, (_, i) => i * 2),
  ),
  labels: encode(IDX_LABELS_MAGIC, [6], Uint8Array.of(0, 1, 2, 3, 4, 9)),
};

/** Sizes at which 32 bits, doubles and buffers break, beside any. */
const size = fc.oneof(
  fc.nat(8),
  fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0x1000000),
  fc.nat(0xffffffff),
);
const damage = fc.record({
  sizes: fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), size), { maxLength: 3 }),
  bytes: fc.array(fc.tuple(fc.nat(140), fc.nat(255)), { maxLength: 4 }),
  cut: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(140) }),
  tail: fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ maxLength: 12 })),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(whole: Buffer, { sizes, bytes, cut, tail }: Damage): Buffer {
  const result = Buffer.concat([whole.subarray(0, cut ?? whole.length), tail]);
  for (const [field, value] of sizes) if (4 * field + 4 <= result.length) result.writeUInt32BE(value, 4 * field);
  for (const [at, value] of bytes) if (at < result.length) result[at] = value;
  return result;
}

/** How the damage lies: in the file, in what is compressed, or in its compressed form. */
const layer = fc.constantFrom("plain", "plain", "inside gzip", "of gzip");

const none: Damage = { sizes: [], bytes: [], cut: null, tail: new Uint8Array() };

const magic = { images: IDX_IMAGES_MAGIC, labels: IDX_LABELS_MAGIC };

/** Reads the bytes of a file; throws unless it gives its own values or is refused as it should. */
async function tryFile(kind: keyof typeof files, contents: Buffer): Promise<void> {
  try {
    const { shape, data } = await decodeIdx(contents, magic[kind], "fuzz");
    const plain = contents[0] === 0x1f ? gunzipSync(contents) : contents;
    expect(shape).toEqual(shape.map((_, axis) => plain.readUInt32BE(4 + 4 * axis)));
    expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
    expect(Buffer.compare(data, plain.subarray(plain.length - data.length))).toBe(0);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    expect(error.message).toMatch(/^IDX file: [^\n]*\.$/);
  }
}

test("damaged files (10,000)", async () => {
  const kind = fc.constantFrom("images", "labels");
  await fc.assert(
    fc.asyncProperty(kind, damage, layer, async (kind, change, layer) => {
      const inner = damaged(files[kind], layer === "of gzip" ? none : change);
      const outer = layer === "plain" ? inner : gzipSync(inner);
      await modestly(() => tryFile(kind, layer === "of gzip" ? damaged(outer, change) : outer));
    }),
    { numRuns: 10_000 },
  );
});

test("damaged folders: splits that fit together, or a DataError (300)", async () => {
  const names = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
  ];
  // the last 5,000 training images validate
  const count = 5010;
  const images = encode(IDX_IMAGES_MAGIC, [count, 1, 1], new Uint8Array(count));
  const labels = encode(IDX_LABELS_MAGIC, [count], new Uint8Array(count));
  for (const [i, name] of names.entries()) writeFileSync(join(root, name), i % 2 === 0 ? images : labels);
  const source = { name: "x", folder: root, classes: 10, mean: 0.5, std: 0.5, hint: "Look" };
  await fc.assert(
    fc.asyncProperty(fc.nat(3), damage, async (which, change) => {
      const whole = (i: number) => (i % 2 === 0 ? images : labels);
      writeFileSync(join(root, names[which]), damaged(whole(which), change));
      try {
        const splits = await loadIdxFolder(source);
        for (const split of Object.values(splits)) {
          expect(split.labels).toHaveLength(split.count);
          expect([...split.labels].every((label: number) => label < 10)).toBe(true);
          expect(split.images).toHaveLength(split.count * split.height * split.width);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
      }
      writeFileSync(join(root, names[which]), whole(which));
    }),
    { numRuns: 300 },
  );
});

test("a small file that stands for more than it announces is not unpacked", async () => {
  // a megabyte of zeros takes a kilobyte: this is 256 MB
  const zeros = gzipSync(Buffer.alloc(1 << 20), { level: 9 });
  const header = gzipSync(files.images, { finishFlush: constants.Z_FINISH });
  const file = join(root, "bomb");
  writeFileSync(file, Buffer.concat([header, ...new Array(256).fill(zeros)]));
  const before = process.memoryUsage().rss;
  await expect(readIdxImages(file)).rejects.toThrow(/bomb" is too long: it has \d+ or more bytes\. Expected 136 bytes/);
  expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
});
