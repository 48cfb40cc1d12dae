import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findPython, runPython } from "./fixtures.test.support.ts";
import { openImageFolder } from "./image-folder.ts";
import { compareNames } from "./splits.ts";

const root = mkdtempSync(join(tmpdir(), "guidance-folder-"));
afterAll(() => rmSync(root, { recursive: true }));

/** Writes files whose content is their path. */
function write(folder: string, ...paths: string[]): string {
  for (const path of paths) {
    mkdirSync(dirname(join(root, folder, path)), { recursive: true });
    writeFileSync(join(root, folder, path), path);
  }
  return join(root, folder);
}

const paths = [
  "b/2.JPG",
  "b/10.png",
  "b/a/x.webp",
  "b/a-b/y.jpeg",
  "b/a/deep/z.tiff",
  "b/note.txt",
  "B/1.jpg",
  "a b/1.bmp",
  "\uff01/1.jpg",
  "\u{1f34e}/1.ppm",
];

test("classes and images are those of torchvision, in its order", async () => {
  const folder = write("order", ...paths);
  const encoded = await openImageFolder(folder, { name: "photos train" });
  expect(encoded.classNames).toEqual(["B", "a b", "b", "\uff01", "\u{1f34e}"]);
  const read = [];
  for (let index = 0; index < encoded.count; index++) {
    const { bytes, path } = await encoded.read(index);
    expect(path).toBe(join(folder, Buffer.from(bytes).toString()));
    read.push([path, encoded.label(index)]);
  }
  expect(read.map(([path]) => (path as string).slice(folder.length + 1))).toEqual([
    "B/1.jpg",
    "a b/1.bmp",
    "b/10.png",
    "b/2.JPG",
    "b/a/x.webp",
    "b/a-b/y.jpeg",
    "b/a/deep/z.tiff",
    "\uff01/1.jpg",
    "\u{1f34e}/1.ppm",
  ]);
  const python = findPython("torchvision");
  if (!python) return;
  const script = `
import sys, json
from torchvision.datasets import ImageFolder
print(json.dumps(ImageFolder(json.load(sys.stdin)).samples))`;
  expect(read).toEqual(runPython(python, script, folder));
});

test("links are followed, and a loop of them is refused", async () => {
  const folder = write("links", "a/1.jpg");
  symlinkSync(join(folder, "a"), join(folder, "b"));
  symlinkSync(join(folder, "a/1.jpg"), join(folder, "a/2.jpg"));
  const encoded = await openImageFolder(folder, { name: "x" });
  expect([encoded.classNames, encoded.count]).toEqual([["a", "b"], 4]);
  symlinkSync(folder, join(folder, "a/loop"));
  await expect(openImageFolder(folder, { name: "x" })).rejects.toThrow("Look for a loop of links");
});

test("folders without images, and classes that differ from those of training, are refused by name", async () => {
  await expect(openImageFolder(join(root, "none"), { name: "x" })).rejects.toThrow(/none": it cannot be read/);
  const flat = write("flat", "1.jpg");
  await expect(openImageFolder(flat, { name: "x" })).rejects.toThrow(/flat" has no folders/);
  const empty = write("empty", "a/1.jpg", "b/readme.txt");
  await expect(openImageFolder(empty, { name: "x" })).rejects.toThrow('images of "x": class "b" has none');
  const two = write("two", "a/1.jpg", "c/1.jpg");
  await expect(openImageFolder(two, { name: "x", classNames: ["a", "b", "c"] })).rejects.toThrow(
    /classes of ".*two": there is no folder "b"\. Expected the 3 classes/,
  );
  await expect(openImageFolder(two, { name: "x", classNames: ["a"] })).rejects.toThrow(
    /the folders "c" are no classes of the training split/,
  );
});

test("an image that has gone is an error that names it", async () => {
  const folder = write("gone", "a/1.jpg");
  const encoded = await openImageFolder(folder, { name: "x" });
  rmSync(join(folder, "a/1.jpg"));
  await expect(encoded.read(0)).rejects.toThrow(/image ".*a\/1\.jpg": it cannot be read \(no such file or folder\)/);
});

test("names are ordered by code point", () => {
  const names = ["b", "a", "", "ab", "B", "\u{1f34e}", "\uff01", "\ud7ff", "a\u{1f34e}"];
  expect([...names].sort(compareNames)).toEqual([
    "",
    "B",
    "a",
    "ab",
    "a\u{1f34e}",
    "b",
    "\ud7ff",
    "\uff01",
    "\u{1f34e}",
  ]);
});
