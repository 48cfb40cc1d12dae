/** Batch normalization (Ioffe and Szegedy 2015), as torch.nn has it. */
import { formatShape, ShapeError } from "../errors.ts";
import { batchNorm, batchNormWith } from "../functions/normalize.ts";
import { captureSite, describeSite } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { Variable } from "../variable.ts";
import { Module } from "./module.ts";

/** Settings of batch normalization. */
export interface BatchNormOptions {
  readonly epsilon?: number;
  /** Weight of the new batch in the running statistics. */
  readonly momentum?: number;
}

abstract class BatchNorm extends Module {
  readonly weight: Variable;
  readonly bias: Variable;
  readonly running_mean: Variable;
  readonly running_var: Variable;
  readonly num_batches_tracked: Variable;
  readonly #ranks: readonly number[];
  readonly #epsilon: number;
  readonly #momentum: number;

  constructor(channels: number, ranks: readonly number[], { epsilon = 1e-5, momentum = 0.1 }: BatchNormOptions = {}) {
    super();
    const buffer = { trainable: false };
    this.weight = new Variable([channels], 1);
    this.bias = new Variable([channels], 0);
    this.running_mean = new Variable([channels], 0, buffer);
    this.running_var = new Variable([channels], 1, buffer);
    this.num_batches_tracked = new Variable([], 0, { ...buffer, dtype: "i32" });
    this.#ranks = ranks;
    this.#epsilon = epsilon;
    this.#momentum = momentum;
  }

  /** Batch statistics when training (and moves the running ones), running statistics otherwise. */
  forward(x: Operand): Tensor {
    const channels = this.weight.size;
    if (!this.#ranks.includes(x.rank) || x.shape[1] !== channels) {
      throw new ShapeError({
        what: "batchNorm",
        path: this.path,
        facts: `x is ${formatShape(x.shape)}`,
        expected: `${this.#ranks.map((rank) => `[N, ${channels}${", ...".repeat(Number(rank > 2))}]`).join(" or ")} of rank ${this.#ranks.join(" or ")}`,
        site: describeSite(captureSite()),
      });
    }
    if (!this.training)
      return batchNormWith(x, this.running_mean, this.running_var, this.weight, this.bias, this.#epsilon);
    const { output, mean, unbiasedVariance } = batchNorm(x, this.weight, this.bias, this.#epsilon);
    const move = (running: Variable, value: Tensor) =>
      running.assign(running.mul(1 - this.#momentum).add(value.detach().mul(this.#momentum)));
    move(this.running_mean, mean);
    move(this.running_var, unbiasedVariance);
    this.num_batches_tracked.assign(this.num_batches_tracked.add(1));
    return output;
  }
}

/** Over x [N,C] or [N,C,L] (torch.nn.BatchNorm1d). */
export class BatchNorm1d extends BatchNorm {
  constructor(channels: number, options?: BatchNormOptions) {
    super(channels, [2, 3], options);
  }
}

/** Over x [N,C,H,W] (torch.nn.BatchNorm2d). */
export class BatchNorm2d extends BatchNorm {
  constructor(channels: number, options?: BatchNormOptions) {
    super(channels, [4], options);
  }
}
