/**
 * A network layer by layer: shapes, parameters and work, from one traced forward pass. Tensors are descriptions, so it costs
 * no device and no memory.
 */
import { constant, elementCount, type Kernel, kernelFlops, type nn, type Tensor } from "@guidance/tensor";
import { callNetwork } from "./network.ts";

/** One layer of a network. */
export interface LayerSummary {
  /** Layer path below the network, e.g. `layer1.0.conv1`. */
  readonly path: string;
  readonly type: string;
  /** Shape of its output in its last call; null where that is no tensor. */
  readonly output: readonly number[] | null;
  /** Trainable values of the layer itself; each Variable counts where it is met first. */
  readonly parameters: number;
  /** FLOPs of its matrix products and convolutions in a forward pass: two a multiply-add. */
  readonly flops: number;
}

/** What a network consists of and costs. */
export interface NetworkSummary {
  /** Layers without layers below them, in the order of their first call. */
  readonly layers: readonly LayerSummary[];
  readonly parameters: number;
  /** Values that are stored and not trained, e.g. running statistics. */
  readonly buffers: number;
  readonly flops: number;
}

/** `input`: shape of a batch, [N, C, H, W]. */
export function summarizeNetwork(model: nn.Module, input: readonly number[]): NetworkSummary {
  const order: nn.Module<unknown>[] = [];
  const outputs = new Map<nn.Module<unknown>, readonly number[] | null>();
  const leaves = model.namedModules().filter(([, layer]) => layer.namedChildren().length === 0);
  const removers = leaves.map(([, layer]) =>
    layer.registerForwardHook((called, _inputs, output) => {
      if (!outputs.has(called)) order.push(called);
      outputs.set(called, (output as Tensor | null)?.shape ?? null);
    }),
  );
  let flops: Map<string, number>;
  try {
    flops = productFlops(callNetwork(model, constant(0).broadcast(input)));
  } finally {
    for (const remove of removers) remove();
  }
  const paths = new Map(leaves.map(([path, layer]) => [layer, path]));
  const variables = model.namedVariables().map(([, variable]) => variable);
  const counted = new Set<unknown>();
  const layers = order.map((layer): LayerSummary => {
    const own = layer.namedVariables().filter(([, variable]) => variable.trainable && !counted.has(variable));
    for (const [, variable] of own) counted.add(variable);
    return {
      path: paths.get(layer) ?? "",
      type: layer.constructor.name,
      output: outputs.get(layer) ?? null,
      parameters: own.reduce((sum, [, { size }]) => sum + size, 0),
      flops: flops.get(layer.path) ?? 0,
    };
  });
  const sizeOf = (trainable: boolean) =>
    variables.reduce((sum, variable) => sum + (variable.trainable === trainable ? variable.size : 0), 0);
  return {
    layers,
    parameters: sizeOf(true),
    buffers: sizeOf(false),
    flops: [...flops.values()].reduce((sum, each) => sum + each, 0),
  };
}

/** FLOPs of the products and convolutions that `output` needs, by the path of the layer that made them. */
function productFlops(output: Tensor): Map<string, number> {
  const flops = new Map<string, number>();
  const seen = new Set<Tensor>();
  const pending = [output];
  for (let tensor = pending.pop(); tensor; tensor = pending.pop()) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    pending.push(...tensor.inputs);
    const { op, attrs, shape, inputs, layer } = tensor;
    if (op.name !== "matmul" && op.name !== "conv2d") continue;
    const core = { op: op.name, attrs, operands: inputs, result: tensor } as unknown as Kernel["core"];
    const own = kernelFlops({ core, domain: [elementCount(shape)] });
    flops.set(layer, (flops.get(layer) ?? 0) + own);
  }
  return flops;
}
