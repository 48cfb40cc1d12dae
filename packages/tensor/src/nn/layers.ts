/** Layers with weights of their own, named and initialized as torch.nn does. */
import { linear } from "../functions/layer.ts";
import type { Generator } from "../random.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { Variable } from "../variable.ts";
import { uniformInitial } from "./init.ts";
import { Module } from "./module.ts";

/** Settings of layers with weights. */
export interface LayerOptions {
  readonly bias?: boolean;
  /** Where initial values come from; the default generator if absent. */
  readonly generator?: Generator;
}

/** y = x W^T + b (torch.nn.Linear): weight [out, in], both uniform in +-1/sqrt(in). */
export class Linear extends Module {
  readonly weight: Variable;
  readonly bias: Variable | undefined;

  constructor(inputs: number, outputs: number, { bias = true, generator }: LayerOptions = {}) {
    super();
    const bound = 1 / Math.sqrt(inputs);
    this.weight = new Variable([outputs, inputs], uniformInitial([outputs, inputs], bound, generator));
    if (bias) this.bias = new Variable([outputs], uniformInitial([outputs], bound, generator));
  }

  /** x [N, inputs] to [N, outputs]; throws ShapeError for other sizes. */
  forward(x: Operand): Tensor {
    return linear(x, this.weight, this.bias);
  }
}

/** A number for both axes, or [height, width]. */
export type Size = number | readonly [number, number];

export function pair(size: Size): readonly [number, number] {
  return typeof size === "number" ? [size, size] : size;
}

/** Settings of Conv2d. */
export interface Conv2dOptions extends LayerOptions {
  readonly stride?: Size;
  readonly padding?: Size;
  /** A weight of one's own, e.g. with other initial values. */
  readonly weight?: Variable;
}

/** Convolution (torch.nn.Conv2d): weight [O,C,R,S], uniform in +-1/sqrt(C R S). */
export class Conv2d extends Module {
  readonly weight: Variable;
  readonly bias: Variable | undefined;
  readonly #attrs: { stride: readonly [number, number]; padding: readonly [number, number] };

  constructor(
    inputs: number,
    outputs: number,
    kernelSize: Size,
    { stride = 1, padding = 0, bias = true, weight, generator }: Conv2dOptions = {},
  ) {
    super();
    const [R, S] = pair(kernelSize);
    const bound = 1 / Math.sqrt(inputs * R * S);
    const shape = [outputs, inputs, R, S];
    this.weight = weight ?? new Variable(shape, uniformInitial(shape, bound, generator));
    if (bias) this.bias = new Variable([outputs], uniformInitial([outputs], bound, generator));
    this.#attrs = { stride: pair(stride), padding: pair(padding) };
  }

  /** x [N,C,H,W] to [N,O,P,Q]; throws ShapeError for other channels. */
  forward(x: Operand): Tensor {
    const output = x.conv2d(this.weight, this.#attrs);
    return this.bias ? output.add(this.bias.reshape([1, -1, 1, 1])) : output;
  }
}
