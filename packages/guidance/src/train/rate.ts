/** The learning rate of each step of a run. */
import { optim } from "@guidance/tensor";
import type { TrainConfig } from "./config.ts";

export type RateConfig = Pick<TrainConfig, "learningRate" | "schedule" | "decayFactor" | "decayEvery" | "warmupSteps">;

/** `perEpoch` and `total`: steps of an epoch, and of the whole run. */
export function rateSchedule(
  { learningRate, schedule, decayFactor: factor, decayEvery: every, warmupSteps }: RateConfig,
  perEpoch: number,
  total: number,
): (step: number) => number {
  const warm = optim.warmUp(warmupSteps);
  if (schedule === "cosine") {
    const decay = optim.cosineDecay(learningRate, { total });
    return (step) => warm(step) * decay(step);
  }
  const decay = every === null ? () => learningRate : optim.stepDecay(learningRate, { factor, every });
  return (step) => warm(step) * decay(Math.floor(step / perEpoch));
}
