// How the ops of ops.json are built from the tensor package: modules where there are some, with torch's parameter names.

import { BasicBlock } from "@guidance/guidance";
import {
  adaptiveAvgPool2d,
  batchNorm,
  concat,
  crossEntropy,
  gelu,
  layerNorm,
  linear,
  logSoftmax,
  nn,
  softmax,
  type Tensor,
  topKCorrect,
} from "@guidance/tensor";

/** Attributes of a case, in torch's words; each op has some of them. */
export interface OpAttrs {
  readonly training: boolean;
  readonly momentum: number;
  readonly eps: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly p: number;
  readonly out: number;
  readonly dim: number;
  readonly topk: readonly number[];
}

/** Shapes of a case's inputs by name. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

/** A case made ready: inputs that are variables of `module` are its parameters, the others are given to `outputs`. */
export interface BuiltOp {
  readonly module?: nn.Module;
  readonly outputs: (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;
}

type Builder = (attrs: OpAttrs, shapes: Shapes) => BuiltOp;

/** An op that is a module called with x. */
function layer(make: (attrs: OpAttrs, shapes: Shapes) => nn.Module): Builder {
  return (attrs, shapes) => {
    const module = make(attrs, shapes);
    if (attrs.training !== undefined) module.train(attrs.training);
    return { module, outputs: ({ x }) => ({ out: module.call(x) }) };
  };
}

/** An op that is a function of the inputs. */
function plain(call: (inputs: Readonly<Record<string, Tensor>>, attrs: OpAttrs) => Tensor): Builder {
  return (attrs) => ({ outputs: (inputs) => ({ out: call(inputs, attrs) }) });
}

/** Each op of the fixture by name; one that is absent is not built. */
export const opBuilders: Readonly<Record<string, Builder>> = {
  linear: layer((_, { weight: [outputs, inputs] }) => new nn.Linear(inputs, outputs)),
  batch_norm: layer(({ momentum, eps }, { x, weight: [channels] }) => {
    const options = { momentum, epsilon: eps };
    return x.length === 4 ? new nn.BatchNorm2d(channels, options) : new nn.BatchNorm1d(channels, options);
  }),
  conv2d: layer(({ kernel, stride, padding }, { weight: [outputs, inputs], bias }) => {
    return new nn.Conv2d(inputs, outputs, kernel, { stride, padding, bias: bias !== undefined });
  }),
  max_pool2d: layer(({ kernel, stride, padding }) => new nn.MaxPool2d(kernel, { stride, padding })),
  relu_max_pool2d: layer(({ kernel, stride, padding }) => {
    return new nn.Sequential(new nn.ReLU(), new nn.MaxPool2d(kernel, { stride, padding }));
  }),
  adaptive_avg_pool2d: plain(({ x }, { out }) => adaptiveAvgPool2d(x, [out, out])),
  relu: plain(({ x }) => x.relu()),
  gelu: plain(({ x }) => gelu(x)),
  tanh: plain(({ x }) => x.tanh()),
  sigmoid: plain(({ x }) => x.sigmoid()),
  dropout: layer(({ p }) => new nn.Dropout(p)),
  cross_entropy: plain(({ x, target }) => crossEntropy(x, target)),
  log_softmax: plain(({ x }, { dim }) => logSoftmax(x, dim)),
  softmax: plain(({ x }, { dim }) => softmax(x, dim)),
  accuracy: ({ topk }) => ({
    outputs: ({ x, target }) => {
      const percents = topk.map((k) => topKCorrect(x, target, k).cast("f32").mean().mul(100).reshape([1]));
      return { percent: concat(percents) };
    },
  }),
  layer_norm: plain(({ x, weight, bias }, { eps }) => layerNorm(x, weight, bias, eps)),
  linear_batchnorm1d_relu_linear: plain(({ x, w1, b1, g, b, w2, b2 }, { eps }) => {
    const hidden = batchNorm(linear(x, w1, b1), g, b, eps).output.relu();
    return linear(hidden, w2, b2);
  }),
  basicblock: layer(({ stride }, { "conv1.weight": [outputs, inputs] }) => new BasicBlock(inputs, outputs, stride)),
};
