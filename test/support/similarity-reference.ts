// What numpy and torch make of similarities from their definitions: test/fixtures/similarities, and its make.py.

import { readFileSync } from "node:fs";
import { makeTensor } from "./fixtures.ts";

interface StoredCase {
  readonly n: number;
  readonly dx: number;
  readonly dy: number;
  /** By name of the similarity. */
  readonly values: Readonly<Record<string, number>>;
  /** CKA from HSIC_1 of all samples. */
  readonly unbiased: Readonly<Record<string, number>>;
  /** The same from the means over batches of `size`. */
  readonly batches: Readonly<Record<string, number>> & { readonly size: number };
  /** d similarity / dX, row by row. */
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

export interface ReferenceCase extends StoredCase {
  readonly x: Float64Array<ArrayBuffer>;
  readonly y: Float64Array<ArrayBuffer>;
}

/** The cases with their features: y is of its own and adds the first columns of x to its first. */
export function similarityCases(): ReferenceCase[] {
  const url = new URL("../fixtures/similarities/reference.json", import.meta.url);
  const { cases } = JSON.parse(readFileSync(url, "utf8")) as { cases: StoredCase[] };
  return cases.map((stored) => {
    const { n, dx, dy } = stored;
    const values = (which: string, width: number) =>
      Float64Array.from(makeTensor({ name: `similarity.${which}.${n}`, shape: [n, width], scale: 1 }).data);
    const x = values("x", dx);
    const y = values("y", dy).map((value, i) => (i % dy < dx ? value + x[Math.floor(i / dy) * dx + (i % dy)] : value));
    return { ...stored, x, y };
  });
}
