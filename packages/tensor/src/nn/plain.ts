/** Layers without weights, and containers. */
import { adaptiveAvgPool2d } from "../functions/layer.ts";
import { dropout, requireDropoutRate } from "../functions/random.ts";
import type { Generator } from "../random.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { pair, type Size } from "./layers.ts";
import { Module } from "./module.ts";

/** max(x, 0) (torch.nn.ReLU). */
export class ReLU extends Module {
  /** max(x, 0). */
  forward(x: Operand): Tensor {
    return x.relu();
  }
}

/** Zeroes elements with probability `rate`, in [0, 1), when training (torch.nn.Dropout). */
export class Dropout extends Module {
  readonly rate: number;
  readonly #generator: Generator | undefined;

  constructor(rate = 0.5, { generator }: { readonly generator?: Generator } = {}) {
    super();
    requireDropoutRate(rate);
    this.rate = rate;
    this.#generator = generator;
  }

  /** In training mode zeros with probability `rate` and the rest divided by 1 - rate; else x. */
  forward(x: Operand): Tensor {
    return this.training ? dropout(x, this.rate, this.#generator) : x.asTensor();
  }
}

/** Maximum of windows of x [N,C,H,W] (torch.nn.MaxPool2d); the stride defaults to the kernel size. */
export class MaxPool2d extends Module {
  readonly #attrs: {
    kernelSize: readonly [number, number];
    stride: readonly [number, number];
    padding: readonly [number, number];
  };

  constructor(
    kernelSize: Size,
    { stride = kernelSize, padding = 0 }: { readonly stride?: Size; readonly padding?: Size } = {},
  ) {
    super();
    this.#attrs = { kernelSize: pair(kernelSize), stride: pair(stride), padding: pair(padding) };
  }

  /** x [N,C,H,W] to the maxima of its windows. */
  forward(x: Operand): Tensor {
    return x.maxPool2d(this.#attrs);
  }
}

/** Averages x [N,C,H,W] to [N,C,P,Q] (torch.nn.AdaptiveAvgPool2d). */
export class AdaptiveAvgPool2d extends Module {
  readonly #size: readonly [number, number];

  constructor(outputSize: Size) {
    super();
    this.#size = pair(outputSize);
  }

  /** x [N,C,H,W] to the means of its windows. */
  forward(x: Operand): Tensor {
    return adaptiveAvgPool2d(x, this.#size);
  }
}

/** Merges all axes after the first (torch.nn.Flatten). */
export class Flatten extends Module {
  /** x [N, ...] to [N, product of the rest]. */
  forward(x: Operand): Tensor {
    return x.flatten();
  }
}

/** Layers called one after the other, named 0, 1, 2... (torch.nn.Sequential). */
export class Sequential extends Module {
  readonly layers: readonly Module[];

  constructor(...layers: readonly Module[]) {
    super();
    this.layers = layers;
  }

  override namedChildren(): [string, Module<unknown>][] {
    return this.layers.map((layer, i) => [String(i), layer]);
  }

  /** The layers one after another. */
  forward(x: Operand): Tensor {
    return this.layers.reduce<Operand>((value, layer) => layer.call(value), x).asTensor();
  }
}
