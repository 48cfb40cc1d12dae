/** One image for a network: decoded, brought to the size and the channels it was trained on. */
import type { ImageFormat } from "../source.ts";
import { decodeImage } from "./decode.ts";
import { type Pixels, type ResizePlan, resizeCrop } from "./resize.ts";
import { evaluationTransform, planTransform } from "./transform.ts";

/** How an image of another size is brought to that of the data: cropped as for evaluation, or resized as a whole. */
export type Fit = "crop" | "resize";

/** Values 0 to 255 of shape [channels, height, width]; throws BadImageError where `bytes` cannot be decoded. */
export async function imageInFormat(
  bytes: Uint8Array,
  path: string,
  { channels, height, width }: Pick<ImageFormat, "channels" | "height" | "width">,
  fit: Fit,
): Promise<Uint8Array> {
  const pixels = await decodeImage(bytes, path);
  const plane = height * width;
  const image = new Uint8Array(3 * plane);
  resizeCrop(pixels, planOf(pixels, height, width, fit), image, 0);
  if (channels === 3) return image;
  // Pillow's convert("L"): ITU-R 601-2 luma
  return Uint8Array.from({ length: plane }, (_, i) => {
    const [red, green, blue] = [image[i], image[plane + i], image[2 * plane + i]];
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  });
}

function planOf(pixels: Pixels, height: number, width: number, fit: Fit): ResizePlan {
  if (fit === "crop" && height === width) {
    const transform = evaluationTransform({ size: height });
    return planTransform(transform, pixels.width, pixels.height, { seed: 0, epoch: 0, image: 0 });
  }
  const whole = { left: 0, top: 0 };
  return {
    crop: { ...whole, width: pixels.width, height: pixels.height },
    width,
    height,
    window: { ...whole, width, height },
    flip: false,
  };
}
