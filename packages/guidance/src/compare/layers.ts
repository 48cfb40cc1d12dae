/** Networks as compiled Steps from images to what a comparison needs of each layer. */
import {
  type Backend,
  compile,
  type HostValue,
  LimitError,
  type Operand,
  type Tensor,
  ValueError,
} from "@guidance/tensor";
import { type Feature, observe } from "../features/observe.ts";
import { imageSpec, seenImages } from "../train/image-input.ts";
import { inEvaluation } from "../train/modes.ts";
import type { ComparedLayer, ComparedNetwork } from "./compare.ts";

/** A network whose layers are computed batch by batch. */
export interface LayerStep {
  readonly layers: readonly ComparedLayer[];
  /** One value for each layer. */
  run(images: Uint8Array): Promise<HostValue[]>;
  close(): void;
}

/** The layers of a network on images [N, C, H, W] of bytes; throws ValueError where there are none to compare. */
export function observedLayers({ name, model, input }: ComparedNetwork, images: Operand): readonly Feature[] {
  const { features } = observe(model, seenImages(input, images));
  if (features.length > 0) return features;
  throw new ValueError({
    what: "compare",
    facts: `"${name}" has no layers to compare`,
    expected: "at least two of Conv2d, Linear and AdaptiveAvgPool2d, the last of which is the output",
  });
}

/** Names of layers, and their paths below the network. */
export function describeLayers({ model }: ComparedNetwork, features: readonly Feature[]): ComparedLayer[] {
  const root = `${model.path}.`;
  return features.map(({ name, path }) => ({ name, path: path.startsWith(root) ? path.slice(root.length) : path }));
}

/** Compiles `represent` of every layer of a network in evaluation mode. */
export async function compileLayers(
  backend: Backend,
  network: ComparedNetwork,
  batchSize: number,
  represent: (features: Tensor) => Tensor,
): Promise<LayerStep> {
  let layers: ComparedLayer[] = [];
  const step = await inEvaluation(network.model, () =>
    compile(backend, { images: imageSpec(network.input, batchSize) }, ({ images }) => {
      const features = observedLayers(network, images);
      layers = describeLayers(network, features);
      return Object.fromEntries(features.map(({ tensor }, i) => [String(i), represent(tensor)]));
    }),
  ).catch(explainLimit);
  const run = async (images: Uint8Array) => {
    const outputs = await step({ images });
    return layers.map((_, i) => outputs[String(i)]);
  };
  return { layers, run, close: () => step.close() };
}

/** Throws `error` again, with what makes a comparison smaller where it was too large. */
export function explainLimit(error: unknown): never {
  if (!(error instanceof LimitError)) throw error;
  const hint = "Take fewer samples at once: --samples, or --estimator minibatch with a small --batch";
  throw new LimitError({ ...error.parts, what: "compare", hint });
}
