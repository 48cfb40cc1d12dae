/**
 * Encoded images to RGB, as `PIL.Image.open(file).convert("RGB")` gives them to torchvision.
 *
 * sharp decodes JPEG, PNG, WebP, GIF and TIFF to the bytes that Pillow gives. What it would do beyond that is switched off:
 * colour profiles are not applied, nor is the EXIF orientation, since torchvision applies neither. Alpha is dropped. Two
 * layouts are converted here with Pillow's formulas: CMYK, and grey values of 16 bits, which Pillow clips to 255.
 *
 * An image that Pillow refuses is a {@link BadImageError}: one that is truncated, damaged or none at all. What libjpeg
 * only warns of is let pass, as Pillow does. Formats that only Pillow reads (BMP, PPM) are refused.
 */

import sharp, { type Sharp } from "sharp";
import { BadImageError } from "./bad-image.ts";
import { type ImageHeader, type PixelLayout, readImageHeader } from "./image-header.ts";
import type { Pixels } from "./resize.ts";

/** Pixels an image may have: Pillow's bound against decompression bombs, a quarter of 1 GiB at three bytes a pixel. */
export const PIXEL_LIMIT = 89_478_485;

const options = { failOn: "error", limitInputPixels: PIXEL_LIMIT, ignoreIcc: true } as const;

/** Threads of one decoder, each of which works on an image of its own; and nothing is kept of images seen once. */
export function useOneThread(): void {
  sharp.concurrency(1);
  sharp.cache(false);
}

/** The RGB pixels of an encoded image; throws BadImageError, which names `path`, where it cannot be decoded. */
export async function decodeImage(bytes: Uint8Array, path: string): Promise<Pixels> {
  const header = readImageHeader(bytes);
  if (!header) throw new BadImageError(path, describeUnknown(bytes));
  for (let attempt = 1; ; attempt++) {
    try {
      const layout = header.layout ?? (await tiffLayout(bytes));
      return await decoders[layout](sharp(bytes, options));
    } catch (error) {
      if (attempt < ATTEMPTS && /^unknown error/i.test((error as Error).message)) continue;
      throw new BadImageError(path, describeFailure(error as Error, header, bytes.length));
    }
  }
}

/**
 * Attempts at an image that fails without a reason. libvips keeps what went wrong in one text for the whole process, and
 * any decoder that ends clears it, so that of two at a time one may find it empty: about every second, where many fail.
 */
const ATTEMPTS = 12;

const decoders: Readonly<Record<PixelLayout, (image: Sharp) => Promise<Pixels>>> = {
  plain: async (image) => {
    const { data, info } = await image.removeAlpha().toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height };
  },

  // The inks stay as they are where both colour spaces are CMYK. In C M Y K of 0 to 255, R = 255 - K - C (255 - K) / 255.
  cmyk: async (image) => {
    const inks = image.pipelineColourspace("cmyk").toColourspace("cmyk").raw();
    const { data, info } = await inks.toBuffer({ resolveWithObject: true });
    const pixels = new Uint8Array(info.width * info.height * 3);
    for (let from = 0, to = 0; to < pixels.length; from += info.channels) {
      const white = 255 - data[from + 3];
      for (let ink = 0; ink < 3; ink++) pixels[to++] = white - multiply255(data[from + ink], white);
    }
    return { data: pixels, width: info.width, height: info.height };
  },

  grey16: async (image) => {
    const grey = image.toColourspace("grey16").raw({ depth: "ushort" });
    const { data, info } = await grey.toBuffer({ resolveWithObject: true });
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const pixels = new Uint8Array(info.width * info.height * 3);
    for (let pixel = 0; pixel < pixels.length / 3; pixel++) {
      // libvips keeps values in the order of the processor's bytes, little-endian on all that Node runs sharp on.
      const value = Math.min(view.getUint16(pixel * 2 * info.channels, true), 255);
      pixels.fill(value, pixel * 3, pixel * 3 + 3);
    }
    return { data: pixels, width: info.width, height: info.height };
  },
};

/** a b / 255 as Pillow rounds it (MULDIV255). */
function multiply255(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

async function tiffLayout(bytes: Uint8Array): Promise<PixelLayout> {
  const { space, channels } = await sharp(bytes, options).metadata();
  if (space === "cmyk") return "cmyk";
  return space === "grey16" && channels === 1 ? "grey16" : "plain";
}

function describeUnknown(bytes: Uint8Array): string {
  if (bytes.length === 0) return "it has 0 bytes";
  const first = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `it is no JPEG, PNG, WebP, GIF or TIFF: its ${bytes.length} bytes begin with ${first}`;
}

function describeFailure(error: Error, { format }: ImageHeader, size: number): string {
  // sharp's first line says what happened; where libvips has told the same several times over, lines follow.
  const reason = error.message.split("\n")[0].trim();
  if (/exceeds pixel limit/i.test(reason)) return `it has more than the ${PIXEL_LIMIT} pixels that are let pass`;
  return `its ${format} encoding of ${size} bytes cannot be decoded (${reason})`;
}
