/**
 * Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), as torch.optim computes them:
 * m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
 * p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps).
 */
import { withOneSite } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import type { Variable } from "../variable.ts";
import { type HostScalars, Optimizer, type OptimizerOptions } from "./optimizer.ts";

export interface AdamOptions extends OptimizerOptions {
  readonly betas?: readonly [number, number];
  readonly epsilon?: number;
}

export class Adam extends Optimizer {
  protected readonly momentNames = ["exp_avg", "exp_avg_sq"];
  readonly #betas: readonly [number, number];
  readonly #epsilon: number;

  constructor(parameters: readonly Variable[], options: AdamOptions) {
    super(parameters, options);
    this.#betas = options.betas ?? [0.9, 0.999];
    this.#epsilon = options.epsilon ?? 1e-8;
  }

  protected update(parameter: Variable, gradient: Tensor, scalar: HostScalars): void {
    const penalized = this.weightDecay === 0 ? gradient : gradient.add(parameter.mul(this.weightDecay));
    this.adamUpdate(parameter, parameter.asTensor(), penalized, scalar);
  }

  /** Moves on from `start` along the bias-corrected moments. */
  protected adamUpdate(parameter: Variable, start: Tensor, gradient: Tensor, scalar: HostScalars): void {
    const [beta1, beta2] = this.#betas;
    withOneSite(() => {
      const [mean, square] = this.moments(parameter).values();
      mean.assign(mean.mul(beta1).add(gradient.mul(1 - beta1)));
      square.assign(square.mul(beta2).add(gradient.mul(gradient).mul(1 - beta2)));
      const stepSize = scalar("step size", () => this.learningRate / (1 - beta1 ** (this.stepCount + 1)));
      const correction = scalar("second moment correction", () => 1 / Math.sqrt(1 - beta2 ** (this.stepCount + 1)));
      parameter.assign(start.sub(mean.mul(stepSize).div(square.sqrt().mul(correction).add(this.#epsilon))));
    });
  }
}

/** Adam with decoupled weight decay: p is first scaled by 1 - lr * weightDecay (default 0.01). */
export class AdamW extends Adam {
  constructor(parameters: readonly Variable[], options: AdamOptions) {
    super(parameters, { weightDecay: 0.01, ...options });
  }

  protected override update(parameter: Variable, gradient: Tensor, scalar: HostScalars): void {
    const keep = scalar("weight decay", () => 1 - this.learningRate * this.weightDecay);
    this.adamUpdate(parameter, parameter.mul(keep), gradient, scalar);
  }
}
