/**
 * What must be known of an image's encoding before it is decoded, from its first bytes.
 *
 * Only formats of photographs are let through to the decoder, by their content: it would also draw an SVG that calls
 * itself a PNG. Four channels of a JPEG and grey values of 16 bits need a conversion of their own.
 */

/** How pixels are stored: as colours or grey values of a byte (or reducible to one), as inks, or as grey values of 16 bits. */
export type PixelLayout = "plain" | "cmyk" | "grey16";

export interface ImageHeader {
  readonly format: "jpeg" | "png" | "webp" | "gif" | "tiff";
  /** Unknown for TIFF, which does not tell at a fixed place. */
  readonly layout: PixelLayout | undefined;
}

/** Format and layout of encoded bytes; undefined for all else. */
export function readImageHeader(bytes: Uint8Array): ImageHeader | undefined {
  const starts = (signature: string, at = 0): boolean =>
    bytes.length >= at + signature.length &&
    [...signature].every((letter, index) => bytes[at + index] === letter.charCodeAt(0));
  if (starts("\xff\xd8\xff")) return { format: "jpeg", layout: jpegComponents(bytes) === 4 ? "cmyk" : "plain" };
  if (starts("\x89PNG\r\n\x1a\n")) {
    // The first chunk, IHDR, holds width and height (u32), then bit depth and colour type (0: grey, without alpha).
    return { format: "png", layout: bytes[24] === 16 && bytes[25] === 0 ? "grey16" : "plain" };
  }
  if (starts("RIFF") && starts("WEBP", 8)) return { format: "webp", layout: "plain" };
  if (starts("GIF87a") || starts("GIF89a")) return { format: "gif", layout: "plain" };
  if (starts("II*\0") || starts("MM\0*")) return { format: "tiff", layout: undefined };
  return undefined;
}

/** Number of components in the frame header of a JPEG; undefined where there is none. */
function jpegComponents(bytes: Uint8Array): number | undefined {
  let at = 2;
  while (at + 9 < bytes.length) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++;
      continue;
    }
    // SOF0 to SOF15, of which C4, C8 and CC are other things: length (u16), precision, height, width (u16), components.
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return bytes[at + 9];
    at += 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
  }
  return undefined;
}
