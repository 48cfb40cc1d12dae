/** Photographs, decoded and resized as Pillow does, bit for bit: by what it made of them, and by Pillow itself where it is installed. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { decodeImage } from "./decode.ts";
import { findPython, runPython } from "./fixtures.test.support.ts";
import { resizeCrop } from "./resize.ts";

const folder = fileURLToPath(new URL("../../../../../test/fixtures/photographs/", import.meta.url));
const files = readdirSync(join(folder, "folder"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".jpg"))
  .map((file) => join(folder, "folder", file));

interface Expected {
  readonly size: [width: number, height: number];
  readonly sha256: string;
  readonly crops: readonly {
    readonly box: [left: number, top: number, right: number, bottom: number];
    readonly size: [width: number, height: number];
    readonly sha256: string;
  }[];
}
const stored: Readonly<Record<string, Expected>> = JSON.parse(readFileSync(join(folder, "pillow.json"), "utf8"));

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** Values of shape [3, height, width] as [height, width, 3]. */
function interleaved(planes: Uint8Array): Uint8Array {
  const size = planes.length / 3;
  return planes.map((_, at) => planes[(at % 3) * size + Math.floor(at / 3)]);
}

test("photographs are what Pillow makes of them, whole and in crops", async () => {
  expect(files).toHaveLength(11);
  for (const file of files) {
    const name = file.slice(file.lastIndexOf("/") + 1);
    const { size, crops, sha256: pixels } = stored[name];
    const image = await decodeImage(readFileSync(file), name);
    expect({ name, size: [image.width, image.height], sha256: sha256(image.data) }).toEqual({
      name,
      size,
      sha256: pixels,
    });
    for (const { box, size, sha256: expected } of crops) {
      const [left, top, right, bottom] = box;
      const [width, height] = size;
      const planes = new Uint8Array(3 * width * height);
      const window = { left: 0, top: 0, width, height };
      const crop = { left, top, width: right - left, height: bottom - top };
      resizeCrop(image, { crop, width, height, window, flip: false }, planes, 0);
      expect([name, box, size, sha256(interleaved(planes))]).toEqual([name, box, size, expected]);
    }
  }
});

test("the Pillow that is installed makes the same of them", () => {
  const python = findPython("PIL");
  if (!python) return;
  const script = `import runpy; runpy.run_path(${JSON.stringify(join(folder, "make.py"))})`;
  expect(runPython(python, script, null)).toEqual(stored);
});
