import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { modestly } from "../../fuzz.test.support.ts";
import { DataError } from "../errors.ts";
import { fixtureBytes, jpegNames } from "./fixtures.test.support.ts";
import { repairChecksum, tarArchive, tarHeader, writeTar } from "./stored.test.support.ts";
import { openTarImages } from "./tar-images.ts";

const root = mkdtempSync(join(tmpdir(), "guidance-tar-"));
afterAll(() => rmSync(root, { recursive: true }));

const images = jpegNames.map((name, index) => ({ bytes: fixtureBytes(name), label: index % 4, name }));

function shard(name: string, bytes: Uint8Array): string {
  const path = join(root, name);
  writeFileSync(path, bytes);
  return path;
}

function text(name: string, content: string) {
  return { name, bytes: Buffer.from(content) };
}

test("images are read by offset, in any order, with their classes", async () => {
  const paths = [join(root, "a.tar"), join(root, "b.tar")];
  writeTar(paths[0], images.slice(0, 4));
  writeTar(paths[1], images.slice(4));
  const encoded = await openTarImages(paths, { name: "photos train" });
  expect(encoded).toMatchObject({ name: "photos train", count: 6, classNames: ["0", "1", "2", "3"] });
  for (const index of [5, 0, 3, 4, 1, 2, 5]) {
    const { bytes, path } = await encoded.read(index);
    expect(Buffer.from(bytes)).toEqual(images[index].bytes);
    expect(path).toBe(`${paths[index < 4 ? 0 : 1]}, "${images[index].name}" at offset ${path.match(/\d+$/)?.[0]}`);
    expect(encoded.label(index)).toBe(images[index].label);
  }
  await encoded.close();
});

test("files of one key are one sample; those without an image, folders and links are passed over", async () => {
  const files = [
    text("dir/x.1.cls", "7"),
    text("dir/x.seg.png", "not an image of its own"),
    text("dir/x.json", "{}"),
    text("README", "no key"),
    text("dir/y.cls", "2"),
    text("dir.v2/y.JPEG", "image y"),
    text("dir.v2/y.cls", " 3\n"),
    text(".hidden", ""),
  ];
  const archive = Buffer.concat([tarHeader("folder.jpg/", 0, "5"), tarHeader("link.jpg", 0, "2"), tarArchive(files)]);
  const encoded = await openTarImages([shard("keys.tar", archive)], { name: "x" });
  expect([encoded.count, encoded.label(0), Buffer.from((await encoded.read(0)).bytes).toString()]).toEqual([
    1,
    3,
    "image y",
  ]);
  await encoded.close();
});

test("archives of GNU tar are read in each of its formats, long names included", async () => {
  const { status, stdout } = spawnSync("tar", ["--version"], { encoding: "utf8" });
  if (status !== 0 || !stdout.includes("GNU tar")) return console.warn("NOT RUN: there is no GNU tar");
  const folder = join(root, "files", "n".repeat(90), "m".repeat(80));
  mkdirSync(folder, { recursive: true });
  const long = "ä".repeat(100);
  for (const [name, bytes] of [
    ["short.jpg", images[0].bytes],
    ["short.cls", "1"],
    [`${long}.jpg`, images[1].bytes],
    [`${long}.cls`, "2\n"],
  ] as const) {
    writeFileSync(join(folder, name), bytes);
  }
  for (const format of ["gnu", "pax", "ustar", "v7"]) {
    // The last two have no room for the long names.
    const only =
      format === "ustar" || format === "v7" ? ["-C", folder, "short.jpg", "short.cls"] : ["-C", root, "files"];
    const path = join(root, `${format}.tar`);
    expect(spawnSync("tar", [`--format=${format}`, "-cf", path, ...only]).status).toBe(0);
    const encoded = await openTarImages([path], { name: format });
    const read = await Promise.all(Array.from({ length: encoded.count }, (_, index) => encoded.read(index)));
    const found = read.map(({ bytes }, index) => [encoded.label(index), Buffer.from(bytes).toString("hex")]);
    const expected = [images[0], images[1]].map(({ bytes }, index) => [index + 1, bytes.toString("hex")]);
    expect(found.sort()).toEqual(expected.slice(0, only.length === 4 ? 1 : 2));
    await encoded.close();
  }
});

test("a size of more digits than fit is one in base 256", async () => {
  const first = tarArchive([text("a.jpg", "image"), text("a.cls", "0")]);
  first.fill(0, 124, 136);
  first[124] = 0x80;
  first[135] = 5;
  repairChecksum(first, 0);
  const encoded = await openTarImages([shard("base256.tar", first)], { name: "x" });
  expect(Buffer.from((await encoded.read(0)).bytes).toString()).toBe("image");
  await encoded.close();
});

test("what is truncated or damaged is refused with shard and offset", async () => {
  const whole = tarArchive([text("a.jpg", "x".repeat(700)), text("a.cls", "0")]);
  const open = (name: string, bytes: Uint8Array) => openTarImages([shard(name, bytes)], { name: "x" });
  await expect(open("cut1.tar", whole.subarray(0, 900))).rejects.toThrow(
    /shard ".*cut1\.tar": at offset 0, a header announces 700 bytes, and the file has 388 left\. Expected a whole file/,
  );
  await expect(open("cut2.tar", whole.subarray(0, 1700))).rejects.toThrow(
    /cut2\.tar": at offset 1536, it ends at 1700, before the 512 bytes that belong there/,
  );
  await expect(open("cut3.tar", whole.subarray(0, 1300))).rejects.toThrow(/offset 1300, the last file is not padded/);
  for (const [name, length] of Object.entries({ "nothing.tar": 0, "cut4.tar": 1536, "cut5.tar": 2560 })) {
    await expect(open(name, whole.subarray(0, length))).rejects.toThrow(
      `${name}": at offset ${length}, there is no end of the archive (two blocks of zeros). Expected a whole file`,
    );
  }
  const both = [shard("whole.tar", whole), shard("empty.tar", Buffer.alloc(0))];
  await expect(openTarImages(both, { name: "x" })).rejects.toThrow(/empty\.tar": at offset 0, there is no end/);
  await expect(open("junk.tar", Buffer.alloc(1024, 7))).rejects.toThrow(/offset 0, there is no tar header/);
  const noClass = tarArchive([text("a.jpg", "x")]);
  await expect(open("noclass.tar", noClass)).rejects.toThrow(
    /"a\.jpg" at offset 512 has no class: there is no "a\.cls"/,
  );
  const badClass = tarArchive([text("a.jpg", "x"), text("a.cls", "cat")]);
  await expect(open("class.tar", badClass)).rejects.toThrow(/"a\.cls" at offset 1536 holds "cat"/);
  const twice = tarArchive([text("a.jpg", "x"), text("a.cls", "1"), text("a.png", "y")]);
  await expect(open("twice.tar", twice)).rejects.toThrow(/"a\.png" is a second image of the sample "a"/);
  await expect(openTarImages([join(root, "none.tar")], { name: "x" })).rejects.toThrow(/none\.tar": it cannot be read/);
});

/** Reads all of a shard; throws unless that works or is refused as it should. */
async function tryShard(bytes: Buffer): Promise<void> {
  const opened = await openTarImages([shard("fuzz.tar", bytes)], { name: "x" }).catch((error: unknown) => error);
  if (opened instanceof Error) {
    expect(opened).toBeInstanceOf(DataError);
    return;
  }
  const encoded = opened as Awaited<ReturnType<typeof openTarImages>>;
  for (let index = 0; index < encoded.count; index++) {
    expect((await encoded.read(index)).bytes.length).toBeLessThanOrEqual(bytes.length);
  }
  await encoded.close();
}

test("property: damaged archives are read or refused, and nothing else (10,000)", async () => {
  const whole = tarArchive([
    text("a.jpg", "x".repeat(600)),
    text("a.cls", "1"),
    { name: "PaxHeader", bytes: Buffer.from("19 path=long/b.jpg\n") },
    text("b.jpg", "y"),
    text("b.cls", "2"),
  ]);
  whole.write("x", 2560 + 156, "latin1");
  repairChecksum(whole, 2560);
  const place = fc.oneof(
    fc.nat(whole.length - 1),
    fc.nat(10).chain((block) => fc.integer({ min: block * 512, max: block * 512 + 160 })),
  );
  const damage = fc.array(fc.tuple(place, fc.nat(255)), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(damage, fc.option(fc.nat(whole.length)), fc.boolean(), async (changes, cut, repair) => {
      const bytes = Buffer.from(whole.subarray(0, cut ?? whole.length));
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      // Most damaged headers fail by their checksum; with it repaired, what lies behind it is tried as well.
      for (let at = 0; repair && at + 512 <= bytes.length; at += 512) {
        if (bytes.toString("latin1", at + 257, at + 262) !== "ustar") continue;
        repairChecksum(bytes, at);
      }
      await modestly(() => tryShard(bytes));
    }),
    { numRuns: 10_000 },
  );
});
