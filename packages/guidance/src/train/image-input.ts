/**
 * How images enter a step: as floats a network sees as they are, or as bytes, a quarter of the traffic, which the first
 * kernel scales and normalizes.
 */
import { f32, type InputSpec, type Operand, type Tensor, tensor, u8 } from "@guidance/tensor";

/** What takes bytes to what a network sees: (x / 255 - mean) / std, channel by channel. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** How a network is given images. */
export interface ImageInput {
  /** [C, H, W] of one image. */
  readonly imageShape: readonly number[];
  /** Of images that come as bytes; absent: they come as floats. */
  readonly normalization?: Normalization;
}

/** The step input of a batch of `batchSize` images. */
export function imageSpec({ imageShape, normalization }: ImageInput, batchSize: number): InputSpec {
  return (normalization ? u8 : f32)(batchSize, ...imageShape);
}

/** What a network sees of a step's images [N,C,H,W], as torchvision's ToTensor and Normalize make it. */
export function seenImages({ normalization }: ImageInput, images: Operand): Tensor {
  if (!normalization) return images.asTensor();
  const channels = ({ length }: readonly number[]) => [1, length, 1, 1];
  const { mean, std } = normalization;
  return images
    .cast("f32")
    .div(255)
    .sub(tensor(mean, channels(mean)))
    .div(tensor(std, channels(std)));
}
