/**
 * One table of self-tests an op, typed by the names of the ops: an op without a test fails to compile. Small
 * ragged shapes, and for products and convolutions one large enough for each family of kernels.
 */
import {
  type CoreAttrs,
  type CoreName,
  coreOps,
  type ElementwiseName,
  elementwiseOps,
  type OpDefinition,
  type PoolAttrs,
  type ReductionName,
  softmax,
  Tensor,
} from "@guidance/tensor";
import { type Domain, floats, input, integers, type TestInput } from "./values.ts";

/** One use of an op. */
export interface SelfTest {
  readonly inputs: readonly TestInput[];
  apply(inputs: readonly Tensor[]): Tensor;
  /** Largest difference allowed, as a part of the largest value; that of all tests unless given. */
  readonly tolerance?: number;
  /** Whether values must be the same, NaN and the sign of a zero included. */
  readonly exact?: boolean;
}

export function applyOp<Attrs>(op: OpDefinition<Attrs>, attrs: Attrs): SelfTest["apply"] {
  return (inputs) => new Tensor(op as OpDefinition, inputs, attrs, op.infer(inputs, attrs), new Error());
}

const signed = floats(-3, 3);
const positive = floats(0.25, 4);
const whole = integers("i32", -9, 9);
const bits = integers("u32", 0, 2 ** 32 - 1);
const flags = integers("bool", 0, 1);

/** What the arguments of each elementwise op may be. */
const domains: { readonly [Name in ElementwiseName]: readonly Domain[] } = {
  neg: [signed],
  abs: [signed],
  sign: [whole],
  floor: [signed],
  exp: [signed],
  expm1: [signed],
  log: [positive],
  log1p: [positive],
  sqrt: [positive],
  reciprocal: [positive],
  sin: [signed],
  cos: [signed],
  tanh: [signed],
  sigmoid: [floats(-20, 20)],
  relu: [signed],
  erf: [signed],
  isFinite: [signed],
  not: [flags],
  detach: [signed],
  unitFromBits: [bits],
  add: [signed, signed],
  sub: [signed, signed],
  mul: [signed, signed],
  div: [signed, positive],
  pow: [positive, signed],
  maximum: [signed, signed],
  minimum: [signed, signed],
  equal: [whole, whole],
  less: [whole, whole],
  lessEqual: [whole, whole],
  and: [flags, flags],
  or: [flags, flags],
  where: [flags, signed, signed],
  randomBits: [bits, bits, bits, bits],
  castF32: [whole],
  castF16: [signed],
  castI32: [signed],
  castU32: [floats(0, 9)],
};

/** The op on a shape that fills whole vectors and on one that does not. */
function elementwise(name: ElementwiseName): SelfTest[] {
  return [
    [4, 33],
    [3, 5, 7],
  ].map((shape) => ({
    inputs: domains[name].map((domain, i) => input(shape, domain, i)),
    apply: (inputs) => {
      const result = applyOp(elementwiseOps[name], undefined)(inputs);
      // halves stay inside a step
      return result.dtype === "f16" ? result.cast("f32") : result;
    },
  }));
}

/** Over the last axis, the first, and all. */
function reduction(apply: (x: Tensor, axes: readonly number[]) => Tensor): SelfTest[] {
  return [[1], [0], [0, 1]].map((axes) => ({
    inputs: [input([37, 301], signed, 1)],
    apply: ([x]) => apply(x, axes),
  }));
}

const reductions: { readonly [Name in ReductionName]: readonly SelfTest[] } = {
  sum: reduction((x, axes) => x.sum(axes)),
  max: reduction((x, axes) => x.max(axes)),
  min: reduction((x, axes) => x.min(axes)),
};

function matmul(M: number, N: number, K: number, attrs: CoreAttrs["matmul"], batch: readonly number[] = []): SelfTest {
  const a = attrs.transposeA ? [K, M] : [M, K];
  const b = attrs.transposeB ? [N, K] : [K, N];
  return {
    inputs: [input([...batch, ...a], signed, 1), input([...batch, ...b], signed, 2)],
    apply: applyOp(coreOps.matmul, attrs),
  };
}

/** A convolution of x [N, C, size, size] with weights [O, C, kernel, kernel]. */
interface Convolution {
  readonly N: number;
  readonly C: number;
  readonly O: number;
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
}

const convolutions: readonly Convolution[] = [
  { N: 2, C: 3, O: 5, size: 9, kernel: 3, stride: 2 },
  { N: 4, C: 16, O: 32, size: 14, kernel: 3, stride: 1 },
  { N: 3, C: 8, O: 8, size: 7, kernel: 1, stride: 2 },
];

function geometry({ N, C, O, size, kernel, stride }: Convolution) {
  const padding = (kernel - 1) / 2;
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return {
    attrs: { stride: [stride, stride], padding: [padding, padding] } as const,
    x: [N, C, size, size],
    weight: [O, C, kernel, kernel],
    output: [N, O, out, out],
  };
}

const pooling: PoolAttrs = { kernelSize: [3, 3], stride: [2, 2], padding: [1, 1] };
const pooledImages = input([2, 3, 9, 11], signed, 1);

/** The index that max pooling finds, by the op's own definition. */
function poolIndex(): TestInput {
  const { shape, dtype } = coreOps.maxPool2dIndex.infer([pooledImages], pooling);
  const values = new Int32Array(shape.reduce((count, size) => count * size, 1));
  coreOps.maxPool2dIndex.reference([pooledImages.values], [pooledImages], pooling, values);
  return { shape, dtype, values };
}
const index = poolIndex();

const plain = { transposeA: false, transposeB: false };

const cores: { readonly [Name in CoreName]: readonly SelfTest[] } = {
  matmul: [
    matmul(5, 7, 3, plain),
    matmul(128, 128, 100, { transposeA: false, transposeB: true }),
    matmul(65, 130, 67, { transposeA: true, transposeB: false }),
    matmul(9, 8, 33, plain, [3]),
  ],
  conv2d: convolutions.map((sizes) => {
    const { attrs, x, weight } = geometry(sizes);
    return { inputs: [input(x, signed, 1), input(weight, signed, 2)], apply: applyOp(coreOps.conv2d, attrs) };
  }),
  conv2dInputGrad: convolutions.map((sizes) => {
    const { attrs, x, weight, output } = geometry(sizes);
    return {
      inputs: [input(output, signed, 1), input(weight, signed, 2)],
      apply: applyOp(coreOps.conv2dInputGrad, { ...attrs, inputSize: [x[2], x[3]] }),
    };
  }),
  conv2dWeightGrad: convolutions.map((sizes) => {
    const { attrs, x, weight, output } = geometry(sizes);
    return {
      inputs: [input(x, signed, 1), input(output, signed, 2)],
      apply: applyOp(coreOps.conv2dWeightGrad, { ...attrs, kernelSize: [weight[2], weight[3]] }),
    };
  }),
  maxPool2dIndex: [{ inputs: [pooledImages], apply: applyOp(coreOps.maxPool2dIndex, pooling) }],
  poolGather: [{ inputs: [pooledImages, index], apply: applyOp(coreOps.poolGather, pooling) }],
  poolScatter: [
    {
      inputs: [input(index.shape, signed, 2), index],
      apply: applyOp(coreOps.poolScatter, { ...pooling, inputSize: [9, 11] }),
    },
  ],
  pad: [{ inputs: [input([3, 5], signed, 1)], apply: applyOp(coreOps.pad, { before: [1, 0], after: [0, 2] }) }],
};

/** Reductions that need each other's results share a kernel of their own kind: greatest value, sum, quotients. */
const chained: readonly SelfTest[] = [0, 1].map((axis) => ({
  inputs: [input([37, 301], signed, 1)],
  apply: ([x]) => softmax(x, axis),
}));

/** Every op's tests of ordinary values by name. */
export const selfTests: ReadonlyMap<string, readonly SelfTest[]> = new Map([
  ...Object.entries(cores),
  ...Object.entries(reductions),
  ["chained reductions", chained] as const,
  ...(Object.keys(domains) as ElementwiseName[]).map((name) => [name, elementwise(name)] as const),
]);
