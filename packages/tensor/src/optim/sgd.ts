/** Stochastic gradient descent as torch.optim.SGD: b = momentum b + g, p -= lr b (nesterov: lr (g + momentum b)). */
import { ValueError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import type { Variable } from "../variable.ts";
import { type HostScalars, Optimizer, type OptimizerOptions } from "./optimizer.ts";

/** Settings of SGD. */
export interface SgdOptions extends OptimizerOptions {
  readonly momentum?: number;
  readonly nesterov?: boolean;
}

/** Stochastic gradient descent with momentum (torch.optim.SGD). */
export class SGD extends Optimizer {
  protected readonly momentNames: readonly string[];
  readonly #momentum: number;
  readonly #nesterov: boolean;

  constructor(parameters: readonly Variable[], options: SgdOptions) {
    super(parameters, options);
    const { momentum = 0, nesterov = false } = options;
    if (nesterov && momentum === 0)
      throw new ValueError({ what: "SGD", facts: "nesterov is on and momentum is 0", expected: "a momentum above 0" });
    this.#momentum = momentum;
    this.#nesterov = nesterov;
    this.momentNames = momentum === 0 ? [] : ["momentum_buffer"];
  }

  protected update(parameter: Variable, gradient: Tensor, scalar: HostScalars): void {
    const rate = scalar("learning rate", () => this.learningRate);
    const penalized = this.weightDecay === 0 ? gradient : gradient.add(parameter.mul(this.weightDecay));
    const [velocity] = this.moments(parameter).values();
    if (velocity) velocity.assign(velocity.mul(this.#momentum).add(penalized));
    const direction = !velocity ? penalized : this.#nesterov ? penalized.add(velocity.mul(this.#momentum)) : velocity;
    parameter.assign(parameter.sub(direction.asTensor().mul(rate)));
  }
}
