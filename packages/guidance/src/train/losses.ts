/** The losses of a training task on one batch, as training, diagnosis and inspection see them. */
import { constant, crossEntropy, hostScalar, type Tensor } from "@guidance/tensor";
import type { LayerPair } from "../features/pair.ts";
import { guidanceLoss } from "../method/loss.ts";
import { callNetwork } from "../models/network.ts";
import { seenImages } from "./image-input.ts";
import type { Guidance, TrainingTask } from "./task.ts";

export interface TaskLosses {
  /** crossEntropy + alpha x dissimilarity. */
  readonly loss: Tensor;
  readonly crossEntropy: Tensor;
  readonly dissimilarity: Tensor;
  readonly pairs: readonly LayerPair[];
  /** 1 - similarity of each pair. */
  readonly terms: readonly Tensor[];
}

/** The losses of a batch as a step gets it; under `guidance`, the task's own unless given. */
export function taskLosses(
  task: TrainingTask,
  { images: given, labels }: { readonly images: Tensor; readonly labels: Tensor },
  guidance: Guidance | undefined = task.guidance,
): TaskLosses {
  const { model, labelSmoothing = 0 } = task;
  const images = seenImages(task, given);
  if (guidance) {
    const alpha = hostScalar("alpha", guidance.alpha);
    return guidanceLoss(images, labels, { ...guidance, student: model, alpha, labelSmoothing });
  }
  const loss = crossEntropy(callNetwork(model, images), labels, { labelSmoothing });
  return { loss, crossEntropy: loss, dissimilarity: constant(0), pairs: [], terms: [] };
}
