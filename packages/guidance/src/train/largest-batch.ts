/**
 * The largest batch whose plan fits a budget. Memory grows with the batch nearly as a parabola: activations by the image,
 * similarities of images by the pair. So few plans are made.
 */

/** Plans made at most: each takes as long as compiling a step. */
const MOST_PLANS = 20;

/** By what a batch may exceed the largest that is known to fit. */
const GROWTH = 16;

interface Tried {
  readonly batch: number;
  readonly peak: number;
}

/**
 * The largest whole batch of at least `smallest` for which `peakOf` stays within `budget`, and its peak; null where
 * none does. `peakOf` grows with the batch, to Infinity where no plan can be made.
 */
export async function largestBatch(
  budget: number,
  smallest: number,
  peakOf: (batch: number) => Promise<number>,
): Promise<Tried | null> {
  const least = { batch: smallest, peak: await peakOf(smallest) };
  if (least.peak > budget) return null;
  let known: readonly Tried[] = [least];
  let fits = least;
  let fails: Tried | undefined;
  let next = 2 * smallest;
  for (let plans = 1; plans < MOST_PLANS && (!fails || fails.batch - fits.batch > 1); plans++) {
    const tried = { batch: next, peak: await peakOf(next) };
    if (tried.peak <= budget) fits = tried;
    else fails = tried;
    if (Number.isFinite(tried.peak)) known = [tried, ...known];
    const most = fails ? fails.batch - 1 : GROWTH * fits.batch;
    // a curve of another kind is left to halving
    const halves = fails && (plans % 3 === 0 || fails.peak === Infinity);
    const guess = halves ? (fits.batch + most) / 2 : meeting(known.slice(0, 3), budget);
    next = Math.min(most, Math.max(fits.batch + 1, Math.floor(guess)));
  }
  return fits;
}

/** The batch at which the parabola through up to three known points meets `budget`; a line where it would bend down. */
function meeting([p, q, r]: readonly Tried[], budget: number): number {
  const slope = (from: Tried, to: Tried) => (to.peak - from.peak) / (to.batch - from.batch);
  const bend = r ? Math.max(0, (slope(q, r) - slope(p, q)) / (r.batch - p.batch)) : 0;
  // p.peak + steep u + bend u^2 = budget, u batches after p
  const steep = slope(p, q) + bend * (p.batch - q.batch);
  const missing = budget - p.peak;
  const root = Math.sqrt(Math.max(0, steep ** 2 + 4 * bend * missing));
  return p.batch + (2 * missing) / Math.max(steep + root, Number.MIN_VALUE);
}
