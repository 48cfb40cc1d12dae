/** Losses and scores of classifiers. Letters: N samples, C classes. */
import { formatShape, ShapeError, ValueError } from "../errors.ts";
import { captureSite, currentLayer, describeSite } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { iota, where } from "../values.ts";
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

/** How targets are made of labels. */
export interface CrossEntropyOptions {
  /** Part of each target that is spread evenly over all classes, from 0 to below 1 (Szegedy et al. 2016). */
  readonly labelSmoothing?: number;
}

/**
 * -sum over c of target[c] log softmax(logits)[c] of every sample: [N]; NaN where the label is none of the C classes. The
 * target is 1 - s + s / C at the label and s / C elsewhere, with s the label smoothing, 0 unless given.
 */
export function crossEntropyPerSample(
  logits: Operand,
  labels: Operand,
  { labelSmoothing = 0 }: CrossEntropyOptions = {},
): Tensor {
  checkLabels("crossEntropy", logits, labels);
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new ValueError({
      what: "crossEntropy",
      path: currentLayer(),
      facts: `the label smoothing is ${labelSmoothing}`,
      expected: "at least 0 and below 1",
      site: describeSite(captureSite()),
    });
  }
  // a row whose label is no class has no column of its own: all of them become NaN, in the same kernel
  const label = labels.reshape([-1, 1]).broadcast(logits.shape);
  const isClass = label.greaterEqual(0).and(label.less(logits.shape[1]));
  const logs = logSoftmax(logits);
  const spread = labelSmoothing / logits.shape[1];
  const [own, others] = labelSmoothing === 0 ? [logs, 0] : [logs.mul(1 - labelSmoothing + spread), logs.mul(spread)];
  return where(isLabel(logits, labels), own, where(isClass, others, Number.NaN))
    .sum(1)
    .neg();
}

/**
 * Mean cross-entropy of logits [N,C] against i32 labels [N] (torch.nn.functional.cross_entropy). A label outside
 * 0 to C - 1 makes it NaN, since a value cannot be refused while tracing and must not pass unseen.
 */
export function crossEntropy(logits: Operand, labels: Operand, options?: CrossEntropyOptions): Tensor {
  return crossEntropyPerSample(logits, labels, options).mean();
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
