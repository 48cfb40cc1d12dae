/** Least and greatest of numbers, of which there may be more than a function takes as arguments. */

/** Of what is finite; undefined where nothing is. */
export function extent(values: Iterable<number | null>): readonly [low: number, high: number] | undefined {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : undefined;
}
