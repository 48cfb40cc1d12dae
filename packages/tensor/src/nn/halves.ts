/** Half precision for a network's activations: what its layers hand on is stored in 16 bits, all arithmetic stays f32. */

import { holdsHalves } from "../half-tensors.ts";
import { withGradient } from "../ops/custom.ts";
import { Tensor } from "../tensor.ts";
import type { ForwardHook, Module } from "./module.ts";

const prepared = new WeakSet<Module<unknown>>();

/** Rounds a layer's output to half precision; whoever reads it reads 16 bits. */
const roundOutput: ForwardHook = (_layer, _inputs, output) => {
  if (!(output instanceof Tensor) || output.dtype !== "f32") return output;
  const rounded = output.cast("f16").cast("f32");
  // what was rounded before (a ReLU's output) is only stored: its gradient is rounded there
  return holdsHalves(output) ? withGradient(rounded, [output], (grad) => [grad]) : rounded;
};

/**
 * Makes every layer without layers of its own hand on f32 values rounded to f16, and its gradient alike: activations and
 * their gradients take half the memory, while parameters, statistics and sums keep float32 (mixed precision, Micikevicius
 * et al. 2018). Scale the loss, or small gradients become 0: see `optim.LossScaler`.
 */
export function storeHalves(network: Module<unknown>): void {
  for (const [, layer] of network.namedModules()) {
    if (layer.namedChildren().length > 0 || prepared.has(layer)) continue;
    prepared.add(layer);
    layer.registerForwardHook(roundOutput);
  }
}
