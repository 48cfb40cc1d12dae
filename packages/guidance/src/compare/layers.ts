/** Networks in evaluation mode, as Steps from a batch of images to what a comparison needs of each layer. */
import { type Backend, compile, type HostValue, type Operand, type Tensor, ValueError } from "@guidance/tensor";
import { observe } from "../features/observe.ts";
import { imageSpec, seenImages } from "../train/image-input.ts";
import { inEvaluation } from "../train/modes.ts";
import { type PlannedStep, planStep } from "../train/planning.ts";
import type { ComparedLayer, ComparedNetwork } from "./comparison.ts";
import { explainLimit, SMALLER_BATCH } from "./limits.ts";

/** What a Step computes of a network. */
export interface LayerRequest {
  readonly network: ComparedNetwork;
  readonly batchSize: number;
  /** Of the features [N, ...] of a layer, as f32. */
  readonly represent: (features: Tensor) => Tensor;
  /** Indices of layers, all unless given. */
  readonly only?: readonly number[];
}

/** A network whose layers are computed batch by batch. */
export interface LayerStep {
  readonly layers: readonly ComparedLayer[];
  /** One value for each layer. */
  run(images: Uint8Array): Promise<HostValue[]>;
  close(): void;
}

/** What layers of a network would take and give. */
export interface PlannedLayers {
  readonly layers: readonly ComparedLayer[];
  /** Of the value of each layer. */
  readonly shapes: readonly (readonly number[])[];
  readonly step: PlannedStep;
}

/** Inputs and traced function of a request, and the layers once they were traced. */
function layersOf({ network, batchSize, represent, only }: LayerRequest) {
  const layers: ComparedLayer[] = [];
  const root = `${network.model.path}.`;
  const trace = ({ images }: { readonly images: Operand }) => {
    const { features } = observe(network.model, seenImages(network.input, images));
    if (features.length === 0) throw noLayers(network);
    const chosen = only?.map((index) => features[index]) ?? features;
    for (const { name, path } of chosen) {
      layers.push({ name, path: path.startsWith(root) ? path.slice(root.length) : path });
    }
    return Object.fromEntries(chosen.map(({ tensor }, i) => [String(i), represent(tensor.cast("f32"))]));
  };
  return { inputs: { images: imageSpec(network.input, batchSize) }, trace, layers };
}

function noLayers({ name }: ComparedNetwork): ValueError {
  return new ValueError({
    what: "compare",
    facts: `"${name}" has no layers to compare`,
    expected: "at least two of Conv2d, Linear and AdaptiveAvgPool2d, the last of which is the output",
  });
}

/** Throws ValueError where a network has no layers to compare, LimitError where one is too large for any buffer. */
export async function planLayers(backend: Backend, request: LayerRequest): Promise<PlannedLayers> {
  const { inputs, trace, layers } = layersOf(request);
  const step = await inEvaluation(request.network.model, () => planStep(backend, inputs, trace)).catch(
    explainLimit(SMALLER_BATCH),
  );
  return { layers, shapes: step.plan.outputs.map(({ type }) => type.shape), step };
}

/** Throws ValueError where a network has no layers to compare, LimitError where it does not fit the device. */
export async function compileLayers(backend: Backend, request: LayerRequest): Promise<LayerStep> {
  const { inputs, trace, layers } = layersOf(request);
  const step = await inEvaluation(request.network.model, () => compile(backend, inputs, trace)).catch(
    explainLimit(SMALLER_BATCH),
  );
  const run = async (images: Uint8Array) => {
    const outputs = await step({ images });
    return layers.map((_, i) => outputs[String(i)]);
  };
  return { layers, run, close: () => step.close() };
}
