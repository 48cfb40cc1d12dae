import sharp from "sharp";
import { expect, test } from "vitest";
import { imageInFormat } from "./to-format.ts";

const grey = Uint8Array.from({ length: 6 * 8 }, (_, i) => (i * 37) % 256);
const png = (data: Uint8Array, channels: 1 | 3, width = 8) =>
  sharp(data, { raw: { width, height: 6, channels } })
    .png()
    .toBuffer();

test("an image of the right size keeps its bytes, in planes", async () => {
  const format = { channels: 1, height: 6, width: 8 };
  expect(await imageInFormat(await png(grey, 1), "grey.png", format, "resize")).toEqual(grey);
  const colour = Uint8Array.from({ length: 3 * 48 }, (_, i) => (i * 29) % 256);
  const planes = Uint8Array.from({ length: 3 * 48 }, (_, i) => colour[(i % 48) * 3 + Math.floor(i / 48)]);
  expect(await imageInFormat(await png(colour, 3), "colour.png", { ...format, channels: 3 }, "resize")).toEqual(planes);
});

test("another size is resized as a whole or cropped to its middle", async () => {
  // black, with white columns at either end
  const edges = Uint8Array.from({ length: 6 * 24 }, (_, i) => (i % 24 < 4 || i % 24 >= 20 ? 255 : 0));
  const bytes = await png(edges, 1, 24);
  const format = { channels: 1, height: 3, width: 3 };
  const resized = await imageInFormat(bytes, "edges.png", format, "resize");
  const cropped = await imageInFormat(bytes, "edges.png", format, "crop");
  expect(Math.max(...resized)).toBeGreaterThan(50);
  expect(Math.max(...cropped)).toBeLessThan(10);
});
