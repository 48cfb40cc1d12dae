/** Single images of a split, decoded through a pool: which are bad, and what takes their place. */

import type { BatchOptions } from "../batches.ts";
import { DataError } from "../errors.ts";
import { BadImageError } from "./bad-image.ts";
import type { DecodePool } from "./decode-pool.ts";
import type { EncodedImages } from "./encoded.ts";
import type { ImageTransform } from "./transform.ts";

/** Bad images in a row after which it is not the images that are at fault. */
const MOST_BAD_IN_A_ROW = 100;

/** What a reader needs of a source's options. */
interface ReaderOptions {
  readonly transform: ImageTransform;
  readonly seed?: number;
  readonly onBadImage?: "skip" | "fail";
  readonly onBad?: (error: BadImageError) => void;
}

/** Reads the images of one split. */
export class ImageReader {
  readonly encoded: EncodedImages;
  readonly #pool: DecodePool;
  readonly #options: ReaderOptions;
  readonly #bad = new Set<number>();

  constructor(encoded: EncodedImages, pool: DecodePool, options: ReaderOptions) {
    this.encoded = encoded;
    this.#pool = pool;
    this.#options = options;
  }

  get badImages(): number {
    return this.#bad.size;
  }

  /** Height and width of images. */
  get size(): number {
    return this.#options.transform.size;
  }

  /**
   * Image `wanted`. Where bad ones are skipped and it is one: the first good one after it in the split, and which one it is,
   * or undefined where none is to `replace` it.
   */
  async read(
    wanted: number,
    { seed = 0, epoch = 0, replace }: Pick<BatchOptions, "seed" | "epoch"> & { readonly replace: boolean },
    signal: AbortSignal,
  ): Promise<{ image: Uint8Array; index: number } | undefined> {
    const { transform, onBadImage, seed: cropSeed = seed } = this.#options;
    const { count } = this.encoded;
    for (let tried = 0; tried < Math.min(count, MOST_BAD_IN_A_ROW); tried++) {
      if (tried > 0 && !replace) return undefined;
      const index = (wanted + tried) % count;
      if (this.#bad.has(index)) continue;
      const key = { seed: cropSeed, epoch, image: index };
      try {
        const read = () => this.encoded.read(index);
        return { image: await this.#pool.run({ read, transform, key, signal }), index };
      } catch (error) {
        if (!(error instanceof BadImageError) || onBadImage !== "skip") throw error;
        this.#report(index, error);
      }
    }
    throw new DataError({
      what: `images of "${this.encoded.name}"`,
      facts: `${Math.min(count, MOST_BAD_IN_A_ROW)} in a row, from number ${wanted} on, cannot be used`,
      expected: "few bad images",
      hint: "Check that the files are whole, or let the first one fail to see the reason",
    });
  }

  #report(index: number, error: BadImageError): void {
    if (this.#bad.has(index)) return;
    this.#bad.add(index);
    this.#options.onBad?.(error);
  }
}
