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

/** -log softmax(logits)[label] of every sample: [N]; NaN where the label is none of the C classes. */
export function crossEntropyPerSample(logits: Operand, labels: Operand): Tensor {
  checkLabels("crossEntropy", logits, labels);
  // a row whose label is no class has no column of its own: all of them become NaN, in the same kernel
  const label = labels.reshape([-1, 1]).broadcast(logits.shape);
  const isClass = label.greaterEqual(0).and(label.less(logits.shape[1]));
  return where(isLabel(logits, labels), logSoftmax(logits), where(isClass, 0, Number.NaN))
    .sum(1)
    .neg();
}

/**
 * Mean cross-entropy of logits [N,C] against i32 labels [N] (torch.nn.functional.cross_entropy). A label outside
 * 0 to C - 1 makes it NaN, since a value cannot be refused while tracing and must not pass unseen.
 */
export function crossEntropy(logits: Operand, labels: Operand): Tensor {
  return crossEntropyPerSample(logits, labels).mean();
}

/**
 * Whether the label is among the k largest logits of its row: bool [N]. Of equal logits the smaller class index comes
 * first, so that a network whose logits are all equal scores as chance does. NaN counts as largest; a sample whose
 * own logit is NaN, or whose label is none of the C classes, is never correct.
 */
export function topKCorrect(logits: Operand, labels: Operand, k: number): Tensor {
  checkLabels("topKCorrect", logits, labels);
  const C = logits.shape[1];
  const own = where(isLabel(logits, labels), logits, 0).sum(1).reshape([-1, 1]);
  const isTied = logits.equal(own);
  const isAhead = logits
    .lessEqual(own)
    .not()
    .or(isTied.and(iota([C]).less(labels.reshape([-1, 1]))));
  // the label's own column takes C off: without it (no such class, NaN) even no class ahead is too many
  const isOwn = isTied.and(isLabel(logits, labels));
  const rank = where(isOwn, -C, isAhead.cast("i32")).sum(1);
  return rank.less(Math.min(k, C) - C);
}
