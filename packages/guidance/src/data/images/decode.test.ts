import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import { expect, test } from "vitest";
import { BadImageError } from "./bad-image.ts";
import { decodeImage, PIXEL_LIMIT } from "./decode.ts";
import { findPython, fixtureBytes, jpegNames, pillow, runPython } from "./fixtures.test.support.ts";

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** Why an image is bad; fails where it is not. */
async function reasonOf(bytes: Uint8Array): Promise<string> {
  const error = await decodeImage(bytes, "some/image.jpg").then(
    () => expect.unreachable("it was decoded"),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(BadImageError);
  const { path, reason, message } = error as BadImageError;
  expect(path).toBe("some/image.jpg");
  expect(message).toContain(`image "some/image.jpg": ${reason}`);
  return reason;
}

/** A PNG of any header, whose pixels are `data`. */
function png(width: number, height: number, depth: number, colour: number, data: Uint8Array): Uint8Array {
  const chunk = (name: string, body: Uint8Array) => {
    const bytes = Buffer.alloc(12 + body.length);
    bytes.writeUInt32BE(body.length);
    bytes.write(name, 4, "latin1");
    bytes.set(body, 8);
    bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + body.length)), 8 + body.length);
    return bytes;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour], 8);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(data)),
    chunk("IEND", Buffer.of()),
  ]);
}

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

test("JPEGs are decoded as Pillow does, bit for bit: sampled, progressive, grey, CMYK, and not turned", async () => {
  for (const name of jpegNames) {
    const { data, width, height } = await decodeImage(fixtureBytes(name), name);
    expect({ name, size: [width, height], sha256: sha256(data) }).toEqual({ name, ...pillow.decoded[name] });
  }
});

test("grey values of 16 bits are clipped, and colours of 16 bits lose their low byte, as in Pillow", async () => {
  const grey = png(3, 1, 16, 0, Uint8Array.of(0, 0, 7, 0, 200, 1, 44));
  expect([...(await decodeImage(grey, "x")).data]).toEqual([7, 7, 7, 200, 200, 200, 255, 255, 255]);
  const colour = png(1, 1, 16, 2, Uint8Array.of(0, 9, 255, 8, 1, 7, 128));
  expect([...(await decodeImage(colour, "x")).data]).toEqual([9, 8, 7]);
});

test("the reason of a bad image is the same whatever is decoded beside it", async () => {
  const jpeg = fixtureBytes("colour.jpg");
  const reasons = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const beside = Array.from({ length: 6 }, () => decodeImage(jpeg, "good.jpg"));
    for (const reason of await Promise.all(beside.map(() => reasonOf(jpeg.subarray(0, 300))))) reasons.add(reason);
    await Promise.all(beside);
  }
  expect([...reasons]).toEqual([
    "its jpeg encoding of 300 bytes cannot be decoded (VipsJpeg: premature end of JPEG image)",
  ]);
});

test("every kind of bad image is refused with its path and the reason", async () => {
  const jpeg = fixtureBytes("colour.jpg");
  expect(await reasonOf(new Uint8Array())).toBe("it has 0 bytes");
  expect(await reasonOf(Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"))).toMatch(
    /^it is no JPEG, PNG, WebP, GIF or TIFF: its 41 bytes begin with 3c 73 76/,
  );
  expect(await reasonOf(jpeg.subarray(0, 300))).toMatch(/^its jpeg encoding of 300 bytes .*premature end/i);
  expect(await reasonOf(jpeg.subarray(0, jpeg.length - 2))).toMatch(/premature end/i);
  expect(await reasonOf(jpeg.subarray(0, 30))).toMatch(/^its jpeg encoding of 30 bytes cannot be decoded/);
  const whole = png(4, 4, 8, 2, new Uint8Array(52));
  expect((await decodeImage(whole, "x")).data).toHaveLength(48);
  expect(await reasonOf(whole.subarray(0, 50))).toMatch(/^its png encoding of 50 bytes cannot be decoded/);
  expect(await reasonOf(png(4, 4, 8, 2, new Uint8Array(20)))).toMatch(/cannot be decoded/);
});

test("an image of absurd size is refused before its pixels are", async () => {
  const before = process.memoryUsage().rss;
  expect(await reasonOf(png(20_000, 20_000, 8, 2, new Uint8Array(10)))).toBe(
    `it has more than the ${PIXEL_LIMIT} pixels that are let pass`,
  );
  const header = Buffer.from(fixtureBytes("colour.jpg"));
  const frame = header.indexOf(Buffer.of(0xff, 0xc0));
  header.writeUInt16BE(65_500, frame + 5);
  header.writeUInt16BE(65_500, frame + 7);
  expect(await reasonOf(header)).toContain("pixels that are let pass");
  // 20,000 x 20,000 pixels have 1,200 MB.
  expect(process.memoryUsage().rss - before).toBeLessThan(300e6);
});

test("property: damaged files are decoded or refused, and nothing else", async () => {
  const name = fc.constantFrom(...jpegNames, "pixels.png");
  const pngBytes = png(9, 7, 8, 2, new Uint8Array(7 * 28).fill(60));
  const damage = fc.array(fc.tuple(fc.nat(1200), fc.nat(255)), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(name, damage, fc.nat(1200), async (name, changes, cut) => {
      const bytes = Buffer.from(name === "pixels.png" ? pngBytes : fixtureBytes(name)).subarray(0, 100 + cut);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      const result = await decodeImage(bytes, name).catch((error: unknown) => error);
      if (result instanceof Error) expect(result).toBeInstanceOf(BadImageError);
      else expect(result).toMatchObject({ data: expect.any(Uint8Array) });
    }),
    { numRuns: 2000 },
  );
});

test("what Pillow decodes here is decoded alike, and what it refuses is refused", async () => {
  const python = findPython("PIL");
  if (!python) return;
  const waves = Uint8Array.from({ length: 40 * 30 * 4 }, (_, index) => 127.5 + 120 * Math.sin(index * index * 0.01));
  const colour = () => sharp(waves.subarray(0, 3600), { raw: { width: 40, height: 30, channels: 3 } });
  const alpha = () => sharp(waves, { raw: { width: 40, height: 30, channels: 4 } });
  const jpeg = await colour().jpeg().toBuffer();
  const broken = Buffer.from(jpeg);
  for (let at = 0; at < 5; at++) broken[(jpeg.length >> 1) + at * 7] ^= 0x55;
  const images: Record<string, Uint8Array> = {
    "colour png": await colour().png().toBuffer(),
    "alpha png": await alpha().png().toBuffer(),
    "palette png": await alpha().png({ palette: true, colours: 13 }).toBuffer(),
    "grey png": await colour().greyscale().png().toBuffer(),
    "grey and alpha png": await alpha().greyscale().png().toBuffer(),
    "16-bit colour png": png(5, 2, 16, 2, waves.subarray(0, 62)),
    "16-bit grey png": png(5, 2, 16, 0, waves.subarray(0, 22)),
    "1-bit grey png": png(
      12,
      2,
      1,
      0,
      waves.subarray(0, 6).map((value, index) => (index % 3 ? value : 0)),
    ),
    "lossy webp": await colour().webp({ quality: 70 }).toBuffer(),
    "lossless webp with alpha": await alpha().webp({ lossless: true }).toBuffer(),
    tiff: await colour().tiff({ compression: "lzw" }).toBuffer(),
    "cmyk tiff": await colour().toColourspace("cmyk").tiff({ compression: "lzw" }).toBuffer(),
    "cmyk jpeg": await colour().toColourspace("cmyk").jpeg().toBuffer(),
    "jpeg with a profile": await colour().withIccProfile("p3").jpeg().toBuffer(),
    "jpeg, damaged within": broken,
    "jpeg with bytes behind it": Buffer.concat([jpeg, Buffer.alloc(99, 7)]),
    "jpeg without its end": jpeg.subarray(0, jpeg.length - 2),
    "half a jpeg": jpeg.subarray(0, jpeg.length >> 1),
    nothing: new Uint8Array(),
    text: Buffer.from("not an image"),
  };
  const script = `
import sys, json, base64, io, hashlib
from PIL import Image
results = []
for data in json.load(sys.stdin):
    try:
        image = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
        results.append([*image.size, hashlib.sha256(image.tobytes()).hexdigest()])
    except Exception: results.append(None)
print(json.dumps(results))`;
  const expected = runPython<unknown[]>(
    python,
    script,
    Object.values(images).map((bytes) => Buffer.from(bytes).toString("base64")),
  );
  const given: Record<string, unknown> = {};
  for (const [name, bytes] of Object.entries(images)) {
    given[name] = await decodeImage(bytes, name).then(
      ({ data, width, height }) => [width, height, sha256(data)],
      () => null,
    );
  }
  expect(given).toEqual(Object.fromEntries(Object.keys(images).map((name, index) => [name, expected[index]])));
});
