/**
 * Observe: one forward pass that also collects the outputs of inner layers, with the original's rules:
 * exact layer types, names `Type_k` in call order, the batch on axis 0, the last entry dropped.
 */
import { nn, type Operand, type Tensor } from "@guidance/tensor";
import { callNetwork } from "../models/network.ts";

/** The output of one layer, batch first. */
export interface Feature {
  /** `Type_k`, e.g. `Conv2d_0`; tuple outputs add `-1`, `-2`... */
  readonly name: string;
  /** Layer path, e.g. `layer1.0.conv1`. */
  readonly path: string;
  readonly tensor: Tensor;
}

/** A layer call as it was stored: null where no axis is clearly the batch. */
export interface StoredFeature extends Omit<Feature, "tensor"> {
  readonly tensor: Tensor | null;
}

/** One forward pass: what the network returns, and what its layers did. */
export interface Observation {
  /** What the network returns. */
  readonly output: Tensor;
  /** Features that count: the last stored entry dropped, nulls left out. */
  readonly features: readonly Feature[];
  /** Every stored entry, in call order. */
  readonly stored: readonly StoredFeature[];
}

/** The class of a layer. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of any signature
export type LayerType = new (...args: any[]) => nn.Module<unknown>;

/** Layer types whose outputs are features. */
export const featureLayers: ReadonlySet<LayerType> = new Set<LayerType>([nn.Conv2d, nn.Linear, nn.AdaptiveAvgPool2d]);

/** Containers, which are not observed themselves. */
const containers: ReadonlySet<unknown> = new Set([nn.Sequential]);

/** The module and all below it, once for every parent: a layer in two parents is observed twice. */
function visits(module: nn.Module<unknown>): nn.Module<unknown>[] {
  const children = new Set(module.namedChildren().map(([, child]) => child));
  return [module, ...[...children].flatMap(visits)];
}

/** The tensor with the batch axis first: as is if axis 0 fits, else the only fitting axis swapped there, else null. */
function batchFirst(tensor: Tensor, batch: number): Tensor | null {
  if (tensor.shape[0] === batch) return tensor;
  const fitting = tensor.shape.flatMap((size, axis) => (size === batch ? [axis] : []));
  if (fitting.length !== 1) return null;
  const axes = tensor.shape.map((_, axis) => axis);
  [axes[0], axes[fitting[0]]] = [axes[fitting[0]], axes[0]];
  return tensor.transpose(axes);
}

/** Runs `module` on `input` [N, ...] and collects the outputs of its layers of the given exact types. */
export function observe(module: nn.Module, input: Operand, types: ReadonlySet<LayerType> = featureLayers): Observation {
  const stored: StoredFeature[] = [];
  const hook: nn.ForwardHook = (layer, _inputs, output) => {
    if (!types.has(layer.constructor as LayerType)) return;
    const name = `${layer.constructor.name}_${stored.length}`;
    const parts = (Array.isArray(output) ? output : [output]) as (Tensor | null)[];
    parts.forEach((part, i) => {
      if (!part) return;
      stored.push({
        name: Array.isArray(output) ? `${name}-${i + 1}` : name,
        path: layer.path,
        tensor: batchFirst(part, input.shape[0]),
      });
    });
  };
  const removers = visits(module).flatMap((layer) =>
    containers.has(layer.constructor) ? [] : [layer.registerForwardHook(hook)],
  );
  try {
    const output = callNetwork(module, input);
    const features = stored.slice(0, -1).filter((entry): entry is Feature => entry.tensor !== null);
    return { output, features, stored };
  } finally {
    for (const remove of removers) remove();
  }
}
