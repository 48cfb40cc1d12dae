/**
 * The largest batch with which a whole run fits a budget. What is trained under guidance takes the most nearly always, so
 * that the search plans this alone, and the plan of everything decides afterwards. A last batch that is kept has a step of
 * its own, whose memory goes up and down with the batch: where it is estimated not to fit no plan is made.
 */
import { LimitError } from "@guidance/tensor";
import type { TrainConfig } from "./config.ts";
import { largestBatch } from "./largest-batch.ts";
import { type PlanOptions, peakOf, planExperiment } from "./plan.ts";

/** The largest batch that fits and the peak of its run in bytes; null where none does. The data may have fewer images. */
export async function largestRun(
  options: PlanOptions,
  budget: number,
): Promise<{ readonly batch: number; readonly bytes: number } | null> {
  const { config, splits } = options;
  const { accumulate } = config;
  const { count } = splits.train;
  const peakWith = async (changes: Partial<TrainConfig>): Promise<number> => {
    try {
      return peakOf(await planExperiment({ ...options, config: { ...config, ...changes } }));
    } catch (error) {
      // a tensor that no buffer of the device holds
      if (error instanceof LimitError) return Infinity;
      throw error;
    }
  };
  const smallest = 2 * accumulate;
  let least = 0;
  const guided = { baseline: false, lastBatch: "drop", guide: { ...config.guide, steps: 0 } } as const;
  const most = await largestBatch(budget, 2, async (parts) => {
    const peak = await peakWith({ ...guided, batchSize: parts * accumulate });
    if (parts === 2) least = peak;
    return peak;
  });
  if (!most) return null;

  const whole = (batchSize: number) =>
    peakWith({ batchSize, lastBatch: batchSize > count ? "drop" : config.lastBatch });
  const restOf = (batch: number) => (config.lastBatch === "keep" && batch <= count ? count % batch : 0);
  const largest = most.batch * accumulate;
  const slope = largest === smallest ? 0 : (most.peak - least) / (largest - smallest);
  /** Bytes by which plans were above their estimate. */
  let excess: number | undefined;
  for (let batch = largest; batch >= smallest; batch -= accumulate) {
    const rest = restOf(batch);
    // a last batch that no run is allowed to keep
    if (rest > 0 && (rest % accumulate !== 0 || rest < smallest)) continue;
    const estimate = most.peak + slope * (rest - (largest - batch));
    if (estimate + (excess ?? 0) > budget) continue;
    const bytes = await whole(batch);
    if (bytes <= budget) return { batch, bytes };
    // its own training may be too much for any batch
    if (excess === undefined && (await peakWith({ batchSize: smallest, lastBatch: "drop" })) > budget) return null;
    excess = Math.max(excess ?? 0, Number.isFinite(bytes) ? bytes - estimate : 0);
  }
  return null;
}
