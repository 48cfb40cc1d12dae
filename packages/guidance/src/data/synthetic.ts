/**
 * Made-up images of any shape, for tests and for trying a configuration without its data.
 *
 * Each class has a random pattern; an image is the average of its class's pattern and noise, so that there is something
 * to learn. All values follow from the seed.
 */

import { formatBytes, threefry2x32 } from "@guidance/tensor";
import type { DatasetSplits, ImageDataset } from "./dataset.ts";
import { DataError } from "./errors.ts";

/** Shape, classes and counts of made-up images; what is left out has the value of {@link SYNTHETIC_DEFAULTS}. */
export interface SyntheticOptions {
  readonly seed?: number;
  readonly channels?: number;
  readonly height?: number;
  readonly width?: number;
  /** At most 256. */
  readonly classes?: number;
  /** Number of training images. */
  readonly train?: number;
  /** Number of validation images. */
  readonly validation?: number;
  /** Number of test images. */
  readonly test?: number;
}

/** The format of MNIST, and few images. */
export const SYNTHETIC_DEFAULTS: Required<SyntheticOptions> = {
  seed: 0,
  channels: 1,
  height: 28,
  width: 28,
  classes: 10,
  train: 1024,
  validation: 256,
  test: 256,
};

/** Most bytes of one split, and of the classes' patterns: what one array holds everywhere. */
const MOST_BYTES = 2 ** 32;

/** Random streams: the patterns of the classes, then the noise of each split. */
const STREAMS = { patterns: 0, train: 1, validation: 2, test: 3 };

function randomBytes(length: number, seed: number, stream: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let index = 0; index < words.length; index++) words[index] = threefry2x32(index, 0, seed, stream);
  return new Uint8Array(words.buffer, 0, length);
}

/** Throws DataError for sizes that are not whole and positive, more than 256 classes, or more bytes than an array holds. */
function checkSizes(sizes: Omit<Required<SyntheticOptions>, "seed">): void {
  const what = 'data set "synthetic"';
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 1 && (name !== "classes" || size <= 256)) continue;
    throw new DataError({
      what,
      facts: `${name} is ${size}`,
      expected: name === "classes" ? "a whole number from 1 to 256" : "a whole number of at least 1",
    });
  }
  const { channels, height, width, classes, train, validation, test } = sizes;
  const arrays = { "to train on": train, "to validate on": validation, "to test on": test, "for the classes": classes };
  for (const [use, count] of Object.entries(arrays)) {
    const bytes = count * channels * height * width;
    if (bytes <= MOST_BYTES) continue;
    throw new DataError({
      what,
      facts: `${count} images ${use} of ${channels} x ${height} x ${width} values take ${formatBytes(bytes)}`,
      expected: `at most ${formatBytes(MOST_BYTES)}`,
      hint: "Take fewer or smaller images",
    });
  }
}

/** Splits of made-up images; throws DataError for sizes that cannot be. */
export function syntheticDataset(options: SyntheticOptions = {}): DatasetSplits {
  const { seed, ...sizes } = { ...SYNTHETIC_DEFAULTS, ...options };
  checkSizes(sizes);
  const { channels, height, width, classes } = sizes;
  const size = channels * height * width;
  const patterns = randomBytes(classes * size, seed, STREAMS.patterns);

  const split = (name: "train" | "validation" | "test"): ImageDataset => {
    const count = sizes[name];
    const images = randomBytes(count * size, seed, STREAMS[name]);
    const labels = Uint8Array.from({ length: count }, (_, image) => image % classes);
    for (let image = 0; image < count; image++) {
      const pattern = labels[image] * size;
      for (let value = 0; value < size; value++) {
        const index = image * size + value;
        images[index] = (images[index] + patterns[pattern + value]) >> 1;
      }
    }
    return {
      name: `synthetic ${name}`,
      channels,
      height,
      width,
      classes,
      // The average of two independent values uniform in 0..1 has mean 1/2 and variance 1/24.
      mean: new Array<number>(channels).fill(0.5),
      std: new Array<number>(channels).fill(Math.sqrt(1 / 24)),
      images,
      labels,
      count,
    };
  };
  return { train: split("train"), validation: split("validation"), test: split("test") };
}
