/** One image for a network: decoded, brought to the size and the channels it was trained on. */
import type { ImageFormat } from "../source.ts";
import { type Pixels, resizeCrop } from "./resize.ts";
import { applyTransform, transformNamed } from "./transforms.ts";

/** How an image of another size is brought to that of the data: cropped as for evaluation, or resized as a whole. */
export type Fit = "crop" | "resize";

/** Values 0 to 255 of shape [channels, height, width], cropped by the named transform; throws BadImageError where `bytes` cannot be decoded. */
export async function imageInFormat(
  bytes: Uint8Array,
  path: string,
  { channels, height, width }: Pick<ImageFormat, "channels" | "height" | "width">,
  fit: Fit,
  transform = "center-crop",
): Promise<Uint8Array> {
  const { decodeImage } = await import("./decode.ts"); // it takes long to load
  const pixels = await decodeImage(bytes, path);
  const plane = height * width;
  const image =
    fit === "crop" && height === width
      ? applyTransform(pixels, transformNamed(transform, height), { seed: 0, epoch: 0, image: 0 })
      : resizeWhole(pixels, height, width);
  if (channels === 3) return image;
  // Pillow's convert("L"): ITU-R 601-2 luma
  return Uint8Array.from({ length: plane }, (_, i) => {
    const [red, green, blue] = [image[i], image[plane + i], image[2 * plane + i]];
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  });
}

function resizeWhole(pixels: Pixels, height: number, width: number): Uint8Array {
  const crop = { left: 0, top: 0, width: pixels.width, height: pixels.height };
  const image = new Uint8Array(3 * height * width);
  const window = { left: 0, top: 0, width, height };
  resizeCrop(pixels, { crop, width, height, window, flip: false }, image, 0);
  return image;
}
