/**
 * Identity of a source of encoded images.
 *
 * Reading all of ImageNet to hash it would take longer than an epoch. The hash covers all labels and class names, what the
 * reader knows of its files (paths, sizes), the transform and the normalisation, and the bytes of a few images spread
 * over the split; an edit of other images that keeps all sizes goes unnoticed.
 */

import { createHash } from "node:crypto";
import { BadImageError } from "./bad-image.ts";
import type { EncodedImages } from "./encoded.ts";

/** Images whose bytes are part of the hash; fewer where a whole group is read for each. */
const SAMPLES = 16;
const GROUPED_SAMPLES = 4;

/** Hash of `encoded` and `description`, which names all else that decides what a batch holds. */
export async function hashEncoded(encoded: EncodedImages, labels: Int32Array, description: unknown): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([encoded.count, encoded.classNames, encoded.fingerprint ?? null, description]));
  hash.update(labels);
  const samples = Math.min(encoded.groups ? GROUPED_SAMPLES : SAMPLES, encoded.count);
  for (let sample = 0; sample < samples; sample++) {
    const bytes = await readOrNone(encoded, Math.floor((sample * encoded.count) / samples));
    hash.update(`${bytes.length} `).update(bytes);
  }
  return hash.digest("hex");
}

/** The bytes of an image; none where it is bad, which is told when it is wanted. */
async function readOrNone(encoded: EncodedImages, index: number): Promise<Uint8Array> {
  try {
    return (await encoded.read(index)).bytes;
  } catch (error) {
    if (error instanceof BadImageError) return new Uint8Array();
    throw error;
  }
}
