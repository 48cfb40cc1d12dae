/**
 * When a loss is not finite: which layer broke first. A diagnostic step on the same batch and random counter
 * yields one finite flag per layer, forward and gradient.
 */
import { type Backend, compile, currentTrace, grad, type nn, type Tensor } from "@guidance/tensor";
import { taskLosses } from "./losses.ts";
import { type BatchValues, batchInputs } from "./step.ts";
import type { TrainingTask } from "./task.ts";

/** The first layer whose values are not finite, in the order they are computed. */
export interface Diagnosis {
  readonly pass: "forward" | "gradient";
  readonly layer: string;
}

/** Names the first bad layer of a batch, or undefined if every layer is finite (the loss itself overflowed). */
export async function diagnose(
  backend: Backend,
  task: TrainingTask,
  batch: BatchValues,
): Promise<Diagnosis | undefined> {
  const { model, guidance } = task;
  const layers: string[] = [];
  const networks = guidance ? [guidance.guide, model] : [model];
  const step = await compile(backend, batchInputs(task, batch.labels.length), (inputs) => {
    const outputs: Tensor[] = [];
    const record: nn.ForwardHook = (layer, _inputs, output) => {
      layers.push(layer.path || "the network");
      outputs.push(output as Tensor);
    };
    const leaves = networks.flatMap((network) =>
      network.namedModules().flatMap(([, layer]) => (layer.namedChildren().length === 0 ? [layer] : [])),
    );
    const removers = leaves.map((layer) => layer.registerForwardHook(record));
    const { loss } = taskLosses(task, inputs);
    for (const remove of removers) remove();
    // a loss that is not finite keeps every running statistic as it is
    currentTrace()?.losses.push(loss);
    const parameters = model.parameters();
    const gradients = grad(loss, parameters);
    parameters.forEach((parameter) => {
      layers.push(parameter.name);
    });
    const finite = (value: Tensor) => value.isFinite().cast("f32").min();
    return Object.fromEntries([...outputs, ...gradients].map((value, i) => [String(i), finite(value)]));
  });
  try {
    const flags = await step({ images: batch.images, labels: batch.labels });
    const forward = layers.length - model.parameters().length;
    const bad = layers.findIndex((_, i) => flags[String(i)].item() === 0);
    if (bad < 0) return undefined;
    if (bad < forward) return { pass: "forward", layer: layers[bad] };
    // the backward pass runs from the output to the input: the last parameter is reached first
    const reversed = [...layers.keys()].slice(forward).reverse();
    return { pass: "gradient", layer: layers[reversed.find((i) => flags[String(i)].item() === 0) ?? bad] };
  } finally {
    step.close();
  }
}
