import fc from "fast-check";
import { expect, test } from "vitest";
import { findPython, pillow, pillowImages, runPython } from "./fixtures.test.support.ts";
import { type Pixels, type ResizePlan, resizeCrop } from "./resize.ts";

function resized(pixels: Pixels, plan: ResizePlan): Uint8Array {
  const target = new Uint8Array(3 * plan.window.width * plan.window.height);
  resizeCrop(pixels, plan, target, 0);
  return target;
}

function whole(width: number, height: number) {
  return { left: 0, top: 0, width, height };
}

test("resized crops are those that Pillow made, bit for bit", () => {
  for (const { image, crop, size, flip, expected } of pillow.resized) {
    const [left, top, width, height] = crop;
    const plan = { crop: { left, top, width, height }, width: size[0], height: size[1], window: whole(...size), flip };
    expect(Buffer.from(resized(pillowImages[image], plan)).toString("base64")).toBe(expected);
  }
});

const pixels = fc
  .record({ width: fc.integer({ min: 1, max: 60 }), height: fc.integer({ min: 1, max: 60 }) })
  .chain(({ width, height }) => {
    const length = width * height * 3;
    const data = fc.uint8Array({ minLength: length, maxLength: length });
    return fc.record({ width: fc.constant(width), height: fc.constant(height), data });
  });

/** A box within `width` x `height` from four numbers in [0, 1). */
function boxWithin(width: number, height: number, [a, b, c, d]: readonly number[]) {
  const left = Math.floor(a * width);
  const top = Math.floor(b * height);
  return { left, top, width: 1 + Math.floor(c * (width - left)), height: 1 + Math.floor(d * (height - top)) };
}

const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const parts = fc.tuple(part, part, part, part);
const side = fc.integer({ min: 1, max: 40 });

test("property: a window is that part of the whole, mirrored where asked", () => {
  fc.assert(
    fc.property(
      pixels,
      parts,
      side,
      side,
      parts,
      fc.boolean(),
      (image, cropParts, width, height, windowParts, flip) => {
        const crop = boxWithin(image.width, image.height, cropParts);
        const window = boxWithin(width, height, windowParts);
        const all = resized(image, { crop, width, height, window: whole(width, height), flip: false });
        const some = resized(image, { crop, width, height, window, flip });
        for (let channel = 0, at = 0; channel < 3; channel++) {
          for (let y = 0; y < window.height; y++) {
            for (let x = 0; x < window.width; x++, at++) {
              const column = window.left + (flip ? window.width - 1 - x : x);
              expect(some[at]).toBe(all[(channel * height + window.top + y) * width + column]);
            }
          }
        }
      },
    ),
    { numRuns: 50 },
  );
});

test("an image keeps its values where its size stays, and its colour where it has one", () => {
  const [image] = pillowImages;
  const { width, height } = image;
  const same = resized(image, { crop: whole(width, height), width, height, window: whole(width, height), flip: false });
  expect([...same]).toEqual([0, 1, 2].flatMap((c) => [...image.data].filter((_, index) => index % 3 === c)));
  const white = { data: new Uint8Array(700 * 3 * 3).fill(255), width: 700, height: 3 };
  const plan = { crop: whole(700, 3), width: 11, height: 7, window: whole(11, 7), flip: false };
  expect(new Set(resized(white, plan))).toEqual(new Set([255]));
});

test("random crops agree with Pillow itself", () => {
  const python = findPython("PIL");
  if (!python) return;
  const cases = fc.sample(fc.tuple(pixels, parts, side, side, fc.boolean()), { numRuns: 150, seed: 1 });
  const plans = cases.map(([image, cropParts, width, height, flip]) => {
    return { crop: boxWithin(image.width, image.height, cropParts), width, height, window: whole(width, height), flip };
  });
  const script = `
import sys, json, base64
from PIL import Image
results = []
for width, height, data, (l, t, w, h), size, flip in json.load(sys.stdin):
    image = Image.frombytes("RGB", (width, height), base64.b64decode(data))
    image = image.crop((l, t, l + w, t + h)).resize(size, Image.BILINEAR)
    if flip: image = image.transpose(Image.FLIP_LEFT_RIGHT)
    results.append(base64.b64encode(b"".join(c.tobytes() for c in image.split())).decode())
print(json.dumps(results))`;
  const input = cases.map(([{ width, height, data }], index) => {
    const { crop, flip, ...plan } = plans[index];
    const box = [crop.left, crop.top, crop.width, crop.height];
    return [width, height, Buffer.from(data).toString("base64"), box, [plan.width, plan.height], flip];
  });
  const expected = runPython<string[]>(python, script, input);
  const given = cases.map(([image], index) => Buffer.from(resized(image, plans[index])).toString("base64"));
  expect(given).toEqual(expected);
});
