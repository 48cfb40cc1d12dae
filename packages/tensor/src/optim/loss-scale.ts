/**
 * Loss scaling for gradients stored in half precision, whose smallest value is 2^-24: the loss is multiplied by a scale,
 * the gradients are divided by it again. A step in which one overflows as it is stored changes nothing and halves the scale;
 * many good ones in a row double it (Micikevicius et al. 2018; torch.cuda.amp.GradScaler, with its numbers).
 */
import type { Tensor } from "../tensor.ts";
import { hostScalar, requireTrace } from "../trace.ts";
import { constant } from "../values.ts";
import type { Gradients, Optimizer } from "./optimizer.ts";

/** Where the scale begins, and how fast it grows. */
export interface LossScalerOptions {
  /** At first; 65536 unless given. */
  readonly scale?: number;
  /** Good steps in a row after which the scale doubles; 2000 unless given. */
  readonly growthInterval?: number;
}

/** Gradients that are lost at this scale are below 2^-48, a loss of a million still fits float32. */
const LARGEST_SCALE = 2 ** 24;

/** Scales a loss so that gradients in f16 neither vanish nor overflow (torch.amp.GradScaler). */
export class LossScaler {
  /** Read before each run; saved with a checkpoint. */
  scale: number;
  /** Good steps since the scale changed; saved with a checkpoint. */
  goodSteps = 0;
  readonly #growthInterval: number;

  constructor({ scale = 2 ** 16, growthInterval = 2000 }: LossScalerOptions = {}) {
    this.scale = scale;
    this.#growthInterval = growthInterval;
  }

  /**
   * `optimizer.gradients(loss)` by way of the scaled loss, and whether none of them overflowed in half precision (a bool
   * scalar), which `update` must be told after each run. Where one did, the run keeps every Variable as it is.
   */
  gradients(optimizer: Optimizer, loss: Tensor): { gradients: Gradients; finite: Tensor } {
    const trace = requireTrace("gradients of a scaled loss");
    const earlier = trace.halves.length;
    const scaledLoss = loss.mul(hostScalar("loss scale", () => this.scale));
    const scaled = optimizer.gradients(scaledLoss);
    const factor = hostScalar("1 / loss scale", () => 1 / this.scale);
    const gradients = new Map([...scaled].map(([parameter, gradient]) => [parameter, gradient.mul(factor)]));
    // a sum with an infinity or NaN is none itself, and it is cheaper than a look at the parameters' gradients
    const sums = trace.halves.slice(earlier).map((half) =>
      half
        .cast("f32")
        .sum(half.rank > 1 ? 0 : [])
        .sum(),
    );
    const total = sums.reduce((sum, one) => sum.add(one), constant(0));
    trace.losses.push(total);
    return { gradients, finite: total.isFinite().and(scaledLoss.isFinite()) };
  }

  /** What the last run found. */
  update(finite: boolean): void {
    this.goodSteps = finite ? this.goodSteps + 1 : 0;
    if (finite && this.goodSteps < this.#growthInterval) return;
    this.scale = finite ? Math.min(2 * this.scale, LARGEST_SCALE) : this.scale / 2;
    this.goodSteps = 0;
  }
}
