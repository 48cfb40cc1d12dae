/** Normalization layers as functions of ops. */
import { formatShape, ShapeError } from "../errors.ts";
import { withGradient } from "../ops/custom.ts";
import { captureSite, currentLayer, describeSite, withOneSite } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";

/** Mean and biased variance over `axes`, two passes (subtracting first keeps the digits). */
export function moments(x: Operand, axes: readonly number[]): { mean: Tensor; variance: Tensor; centered: Tensor } {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const mean = x.mean(axes);
  const centered = x.sub(mean.reshape(kept));
  return { mean, variance: centered.mul(centered).mean(axes), centered };
}

/** Per-channel values [C] lined up with x [N,C,...]. */
function channelwise(values: Operand, x: Operand): Tensor {
  return values.reshape(x.shape.map((size, axis) => (axis === 1 ? size : 1)));
}

/** x [N,C,...] with given statistics [C]: (x - mean) / sqrt(variance + epsilon) * weight + bias. */
export function batchNormWith(
  x: Operand,
  mean: Operand,
  variance: Operand,
  weight: Operand,
  bias: Operand,
  epsilon: number,
): Tensor {
  const scale = weight.mul(variance.add(epsilon).sqrt().reciprocal());
  return x.sub(channelwise(mean, x)).mul(channelwise(scale, x)).add(channelwise(bias, x));
}

/**
 * x [N,C,...] normalized by its own statistics over all axes but 1 (torch.nn.functional.batch_norm, training).
 * Also gives the batch mean and the unbiased variance, both [C], for running statistics.
 */
export function batchNorm(
  x: Operand,
  weight: Operand,
  bias: Operand,
  epsilon: number,
): { output: Tensor; mean: Tensor; unbiasedVariance: Tensor } {
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const count = x.size / x.shape[1];
  if (count < 2) {
    throw new ShapeError({
      what: "batchNorm",
      path: currentLayer(),
      facts: `x is ${formatShape(x.shape)}: one value per channel`,
      expected: "at least two values per channel when training",
      hint: "Use a larger batch, or eval()",
      site: describeSite(captureSite()),
    });
  }
  return withOneSite(() => normalizeBatch(x.asTensor(), weight.asTensor(), bias.asTensor(), axes, epsilon));
}

function normalizeBatch(x: Tensor, weight: Tensor, bias: Tensor, axes: readonly number[], epsilon: number) {
  const count = x.size / x.shape[1];
  const { mean, variance, centered } = moments(x, axes);
  const inverse = channelwise(variance.add(epsilon).sqrt().reciprocal(), x);
  const value = centered.mul(inverse.mul(channelwise(weight, x))).add(channelwise(bias, x));
  // dL/dx = w / sqrt(var + eps) (g - mean(g) - xhat mean(g xhat)): what flows through the statistics, in closed form
  const output = withGradient(value, [x, weight, bias], (grad) => {
    const normalized = centered.mul(inverse);
    const weightGrad = grad.mul(normalized).sum(axes);
    const biasGrad = grad.sum(axes);
    const through = channelwise(biasGrad, x)
      .add(normalized.mul(channelwise(weightGrad, x)))
      .mul(1 / count);
    return [grad.sub(through).mul(inverse.mul(channelwise(weight, x))), weightGrad, biasGrad];
  });
  return { output, mean, unbiasedVariance: variance.mul(count / (count - 1)) };
}

/** x normalized over its last axes, as many as `weight` has (torch.nn.functional.layer_norm). */
export function layerNorm(x: Operand, weight: Operand, bias: Operand, epsilon: number): Tensor {
  const axes = weight.shape.map((_, i) => x.rank - weight.rank + i);
  const { variance, centered } = moments(x, axes);
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return centered.mul(variance.add(epsilon).sqrt().reciprocal().reshape(kept)).mul(weight).add(bias);
}
