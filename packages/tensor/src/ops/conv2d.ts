/**
 * 2-D convolution (cross-correlation, as torch) and its two gradients. The three are each other's
 * gradients, so each is differentiable any number of times. Letters: N batch, C input channels,
 * O output channels, H W input size, P Q output size, R S kernel size.
 */
import type { TensorType, TypedArray } from "../dtype.ts";
import { formatShape, ShapeError } from "../errors.ts";
import { OPERANDS, requireDTypes } from "./accept.ts";
import type { OpDefinition } from "./define.ts";
import { checkWindow, type Pair } from "./window.ts";

/** Stride and padding of a convolution, each [vertical, horizontal]. */
export interface ConvAttrs {
  readonly stride: Pair;
  readonly padding: Pair;
}
/** Those of the gradient of a convolution's input. */
export interface ConvInputGradAttrs extends ConvAttrs {
  /** [H, W] of the input whose gradient this is. */
  readonly inputSize: Pair;
}
/** Those of the gradient of a convolution's weight. */
export interface ConvWeightGradAttrs extends ConvAttrs {
  /** [R, S] of the weight whose gradient this is. */
  readonly kernelSize: Pair;
}

/** All sizes of one convolution. */
export interface ConvSizes {
  readonly N: number;
  readonly C: number;
  readonly O: number;
  readonly H: number;
  readonly W: number;
  readonly P: number;
  readonly Q: number;
  readonly R: number;
  readonly S: number;
}

const outputSize = (size: number, kernel: number, stride: number, padding: number): number =>
  Math.floor((size + 2 * padding - kernel) / stride) + 1;

function fail(what: string, names: readonly string[], types: readonly TensorType[], expected: string): never {
  throw new ShapeError({
    what,
    facts: names.map((name, i) => `${name} is ${formatShape(types[i].shape)}`).join(", "),
    expected,
  });
}

/** Sizes of conv2d(x [N,C,H,W], weight [O,C,R,S]). */
export function convSizes(types: readonly TensorType[], { stride, padding }: ConvAttrs): ConvSizes {
  const [x, weight] = types;
  requireDTypes("conv2d", types, OPERANDS);
  checkWindow("conv2d", { stride, padding });
  const expected = "x [N,C,H,W] and weight [O,C,R,S] with the same C, the kernel no larger than the padded input";
  if (x.shape.length !== 4 || weight.shape.length !== 4 || x.shape[1] !== weight.shape[1])
    fail("conv2d", ["x", "weight"], types, expected);
  const [N, C, H, W] = x.shape;
  const [O, , R, S] = weight.shape;
  const [P, Q] = [outputSize(H, R, stride[0], padding[0]), outputSize(W, S, stride[1], padding[1])];
  if (P < 1 || Q < 1) fail("conv2d", ["x", "weight"], types, expected);
  return { N, C, O, H, W, P, Q, R, S };
}

/** Sizes of conv2dInputGrad(grad [N,O,P,Q], weight [O,C,R,S]). */
export function convInputGradSizes([grad, weight]: readonly TensorType[], attrs: ConvInputGradAttrs): ConvSizes {
  const [N] = grad.shape;
  requireDTypes("conv2dInputGrad", [grad, weight], OPERANDS);
  const sizes = convSizes([{ shape: [N, weight.shape[1], ...attrs.inputSize], dtype: "f32" }, weight], attrs);
  const expected = [sizes.N, sizes.O, sizes.P, sizes.Q];
  if (grad.shape.some((size, axis) => size !== expected[axis]))
    fail("conv2dInputGrad", ["grad", "weight"], [grad, weight], `grad ${formatShape(expected)}`);
  return sizes;
}

/** Sizes of conv2dWeightGrad(x [N,C,H,W], grad [N,O,P,Q]). */
export function convWeightGradSizes([x, grad]: readonly TensorType[], attrs: ConvWeightGradAttrs): ConvSizes {
  requireDTypes("conv2dWeightGrad", [x, grad], OPERANDS);
  const sizes = convSizes([x, { shape: [grad.shape[1], x.shape[1], ...attrs.kernelSize], dtype: "f32" }], attrs);
  const expected = [sizes.N, sizes.O, sizes.P, sizes.Q];
  if (grad.shape.some((size, axis) => size !== expected[axis]))
    fail("conv2dWeightGrad", ["x", "grad"], [x, grad], `grad ${formatShape(expected)}`);
  return sizes;
}

/** Calls `visit(xIndex, weightIndex, outIndex)` for every product of the convolution. */
function eachProduct(
  { N, C, O, H, W, P, Q, R, S }: ConvSizes,
  { stride, padding }: ConvAttrs,
  visit: (x: number, weight: number, out: number) => void,
): void {
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      for (let p = 0; p < P; p++) {
        for (let q = 0; q < Q; q++) {
          for (let c = 0; c < C; c++) {
            for (let r = 0; r < R; r++) {
              const h = p * stride[0] + r - padding[0];
              if (h < 0 || h >= H) continue;
              for (let s = 0; s < S; s++) {
                const w = q * stride[1] + s - padding[1];
                if (w < 0 || w >= W) continue;
                visit(((n * C + c) * H + h) * W + w, ((o * C + c) * R + r) * S + s, ((n * O + o) * P + p) * Q + q);
              }
            }
          }
        }
      }
    }
  }
}

/** Accumulates in float64 and rounds once into `output`. */
function accumulate(output: TypedArray, fill: (sums: Float64Array) => void): void {
  const sums = new Float64Array(output.length);
  fill(sums);
  output.set(sums);
}

/** x [N,C,H,W], weight [O,C,R,S] to [N,O,P,Q] (torch.nn.functional.conv2d). */
export const conv2d: OpDefinition<ConvAttrs> = {
  name: "conv2d",
  family: "core",
  infer(types, attrs) {
    const { N, O, P, Q } = convSizes(types, attrs);
    return { shape: [N, O, P, Q], dtype: "f32" };
  },
  reference: ([x, weight], types, attrs, output) =>
    accumulate(output, (sums) => {
      eachProduct(convSizes(types, attrs), attrs, (i, j, o) => {
        sums[o] += x[i] * weight[j];
      });
    }),
  vjp(grad, [x, weight], _output, { stride, padding }) {
    return [
      grad.conv2dInputGrad(weight, { stride, padding, inputSize: [x.shape[2], x.shape[3]] }),
      x.conv2dWeightGrad(grad, { stride, padding, kernelSize: [weight.shape[2], weight.shape[3]] }),
    ];
  },
};

/** Gradient [N,C,H,W] of conv2d's input, of that of its output [N,O,P,Q] and the weight. */
export const conv2dInputGrad: OpDefinition<ConvInputGradAttrs> = {
  name: "conv2dInputGrad",
  family: "core",
  infer(types, attrs) {
    const { N, C, H, W } = convInputGradSizes(types, attrs);
    return { shape: [N, C, H, W], dtype: "f32" };
  },
  reference: ([grad, weight], types, attrs, output) =>
    accumulate(output, (sums) => {
      eachProduct(convInputGradSizes(types, attrs), attrs, (i, j, o) => {
        sums[i] += grad[o] * weight[j];
      });
    }),
  // linear in both: its gradients are the forward convolution and the weight gradient
  vjp(grad, [outputGrad, weight], _output, { stride, padding }) {
    return [
      grad.conv2d(weight, { stride, padding }),
      grad.conv2dWeightGrad(outputGrad, { stride, padding, kernelSize: [weight.shape[2], weight.shape[3]] }),
    ];
  },
};

/** Gradient [O,C,R,S] of conv2d's weight, of its input and the gradient of its output. */
export const conv2dWeightGrad: OpDefinition<ConvWeightGradAttrs> = {
  name: "conv2dWeightGrad",
  family: "core",
  infer(types, attrs) {
    const { O, C, R, S } = convWeightGradSizes(types, attrs);
    return { shape: [O, C, R, S], dtype: "f32" };
  },
  reference: ([x, grad], types, attrs, output) =>
    accumulate(output, (sums) => {
      eachProduct(convWeightGradSizes(types, attrs), attrs, (i, j, o) => {
        sums[j] += x[i] * grad[o];
      });
    }),
  // linear in both: its gradients are the input gradient and the forward convolution
  vjp(grad, [x, outputGrad], _output, { stride, padding }) {
    return [
      outputGrad.conv2dInputGrad(grad, { stride, padding, inputSize: [x.shape[2], x.shape[3]] }),
      x.conv2d(grad, { stride, padding }),
    ];
  },
};
