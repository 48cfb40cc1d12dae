/** Losses and scores of classifiers. Letters: N samples, C classes. */
import { formatShape, ShapeError } from "../errors.ts";
import { captureSite, currentLayer, describeSite } from "../scope.ts";
import { iota, type Operand, type Tensor, where } from "../tensor.ts";
import { logSoftmax } from "./activation.ts";

function checkLabels(what: string, logits: Operand, labels: Operand): void {
  if (logits.rank === 2 && labels.rank === 1 && labels.shape[0] === logits.shape[0] && labels.dtype === "i32") return;
  throw new ShapeError({
    what,
    path: currentLayer(),
    facts: `logits are ${formatShape(logits.shape)}, labels ${labels.dtype}${formatShape(labels.shape)}`,
    expected: "logits [N,C] and i32 labels [N]",
    site: describeSite(captureSite()),
  });
}

/** Whether column c is the label of row n: bool [N,C]. */
function isLabel(logits: Operand, labels: Operand): Tensor {
  return labels.reshape([-1, 1]).equal(iota([logits.shape[1]]));
}

/** -log softmax(logits)[label] of every sample: [N]. */
export function crossEntropyPerSample(logits: Operand, labels: Operand): Tensor {
  checkLabels("crossEntropy", logits, labels);
  return where(isLabel(logits, labels), logSoftmax(logits), 0).sum(1).neg();
}

/** Mean cross-entropy of logits [N,C] against i32 labels [N] (torch.nn.functional.cross_entropy). */
export function crossEntropy(logits: Operand, labels: Operand): Tensor {
  return crossEntropyPerSample(logits, labels).mean();
}

/** Whether the label is among the k largest logits of its row: bool [N]. A NaN logit never counts as correct. */
export function topKCorrect(logits: Operand, labels: Operand, k: number): Tensor {
  checkLabels("topKCorrect", logits, labels);
  const own = where(isLabel(logits, labels), logits, 0).sum(1).reshape([-1, 1]);
  return logits.lessEqual(own).not().cast("i32").sum(1).less(k);
}
