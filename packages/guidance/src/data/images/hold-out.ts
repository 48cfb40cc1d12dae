/** Parts of a split: what is held out of training where a data set has no images for validation. */

import { permutation } from "@guidance/tensor";
import { DataError } from "../errors.ts";
import type { EncodedImages } from "./encoded.ts";

/** Seed of the permutation that chooses what is held out: fixed, so that every run of every seed holds out the same. */
const HOLD_OUT_SEED = 0x686f6c64;

/** `encoded` in two: all but `part` of its images, and the rest, drawn by a fixed permutation; both keep its order. */
export function holdOut(
  encoded: EncodedImages,
  part: number,
  names: readonly [kept: string, heldOut: string],
): [kept: EncodedImages, heldOut: EncodedImages] {
  const size = Math.round(encoded.count * part);
  if (!(part > 0 && part < 1) || size < 1 || size >= encoded.count) {
    throw new DataError({
      what: `images of "${encoded.name}"`,
      facts: `${part} of ${encoded.count} would be held out`,
      expected: "a part between 0 and 1 that leaves images on both sides",
      hint: "Give the data set a validation split of its own",
    });
  }
  const order = permutation(encoded.count, HOLD_OUT_SEED, 0);
  // The images are closed with the last of the two parts.
  let open = 2;
  const close = async () => {
    if (--open === 0) await encoded.close();
  };
  const kept = order.subarray(0, encoded.count - size).toSorted();
  const heldOut = order.subarray(encoded.count - size).toSorted();
  return [choose(encoded, kept, names[0], close), choose(encoded, heldOut, names[1], close)];
}

/** The images of `encoded` that `indices` name, in ascending order. */
function choose(
  encoded: EncodedImages,
  indices: Uint32Array,
  name: string,
  closeAll: () => Promise<void>,
): EncodedImages {
  const { groups, fingerprint, classNames } = encoded;
  let closed = false;
  return {
    name,
    count: indices.length,
    classNames,
    label: (index) => encoded.label(indices[index]),
    read: (index) => encoded.read(indices[index]),
    ...(groups ? { groups: countPerGroup(groups, indices) } : {}),
    ...(fingerprint === undefined ? {} : { fingerprint: `${fingerprint} ${indices.length} from ${indices[0]}` }),
    close: async () => {
      if (closed) return;
      closed = true;
      await closeAll();
    },
  };
}

/** How many of the ascending `indices` lie in each group. */
function countPerGroup(groups: readonly number[], indices: Uint32Array): number[] {
  let end = 0;
  let place = 0;
  return groups.map((size) => {
    end += size;
    const first = place;
    while (place < indices.length && indices[place] < end) place++;
    return place - first;
  });
}
