/** The largest batch whose plan fits a budget: memory grows with the batch nearly as a line, so few plans are made. */

/** Plans made at most: each takes as long as compiling a step. */
const MOST_PLANS = 20;

/**
 * The largest whole batch of at least `smallest` for which `peakOf` stays within `budget`, and its peak; null where
 * none does. `peakOf` grows with the batch, to Infinity where no plan can be made.
 */
export async function largestBatch(
  budget: number,
  smallest: number,
  peakOf: (batch: number) => Promise<number>,
): Promise<{ readonly batch: number; readonly peak: number } | null> {
  const least = await peakOf(smallest);
  if (least > budget) return null;
  let fits = { batch: smallest, peak: least };
  let fails: { batch: number; peak: number } | undefined;
  let next = 2 * smallest;
  for (let plans = 1; plans < MOST_PLANS && (!fails || fails.batch - fits.batch > 1); plans++) {
    const tried = { batch: next, peak: await peakOf(next) };
    if (tried.peak <= budget) fits = tried;
    else fails = tried;
    // along the line through what is known, but always between what fits and what fails
    const known = fails && Number.isFinite(fails.peak) ? fails : { batch: smallest, peak: least };
    const slope = fits.batch === known.batch ? 1 : (fits.peak - known.peak) / (fits.batch - known.batch);
    const guess = Math.floor(fits.batch + (budget - fits.peak) / slope);
    const most = fails ? fails.batch - 1 : 8 * fits.batch;
    // a line that bends is left to halving
    const middle =
      fails && (plans % 2 === 0 || fails.peak === Infinity) ? Math.floor((fits.batch + fails.batch) / 2) : guess;
    next = Math.min(most, Math.max(fits.batch + 1, middle));
  }
  return fits;
}
