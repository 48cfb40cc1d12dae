/**
 * Tensor: an immutable description of a value (op, inputs, attributes, type, layer path, call site). It
 * owns no memory, so there is nothing to dispose. Operand holds the fluent methods Tensor and Variable share.
 */
import type { Backend } from "./backend/backend.ts";
import type { ReductionName } from "./compile/kernel.ts";
import type { DType, TensorType } from "./dtype.ts";
import { formatShape, GuidanceError, ShapeError } from "./errors.ts";
import { evaluate } from "./evaluate.ts";
import { requireValues } from "./host-array.ts";
import type { HostValue } from "./host-value.ts";
import { FLOATS, requireDTypes } from "./ops/accept.ts";
import type { ConvAttrs, ConvInputGradAttrs, ConvWeightGradAttrs } from "./ops/conv2d.ts";
import type { OpDefinition } from "./ops/define.ts";
import type { ElementwiseName } from "./ops/elementwise.ts";
import { coreOps, elementwiseOps, movements, reduce } from "./ops/index.ts";
import type { PoolAttrs, PoolScatterAttrs } from "./ops/pool.ts";
import { captureSite, currentLayer, describeSite } from "./scope.ts";
import { broadcastShapes, elementCount, normalizeAxes, sameShape } from "./shape.ts";
import { currentTrace, type Trace } from "./trace.ts";
import { constant } from "./values.ts";

/** Whatever stands for a value: a Tensor, a Variable, or a number (a constant for ever). */
export type TensorLike = Operand | number;

/** Axes to reduce: one, several, or all when omitted; negative ones count from the end. */
export type Axes = number | readonly number[];

/** The methods of Tensor and Variable; each throws ShapeError, naming layer and call site, for shapes it does not take. */
export abstract class Operand {
  abstract readonly shape: readonly number[];
  abstract readonly dtype: DType;
  /** The Tensor that stands for the current value. */
  abstract asTensor(): Tensor;

  /** Number of axes. */ get rank(): number {
    return this.shape.length;
  }
  /** Number of elements. */ get size(): number {
    return elementCount(this.shape);
  }

  // -- elementwise, with NumPy broadcasting ----------------------------------------------------------
  /** this + other. */
  add(other: TensorLike): Tensor {
    return elementwise("add", this, other);
  }
  /** this - other. */
  sub(other: TensorLike): Tensor {
    return elementwise("sub", this, other);
  }
  /** this * other. */
  mul(other: TensorLike): Tensor {
    return elementwise("mul", this, other);
  }
  /** this / other, both f32. */
  div(other: TensorLike): Tensor {
    return elementwise("div", this, other);
  }
  /** this to the power of other. */
  pow(other: TensorLike): Tensor {
    return elementwise("pow", this, other);
  }
  /** The greater of both. */
  maximum(other: TensorLike): Tensor {
    return elementwise("maximum", this, other);
  }
  /** The lesser of both. */
  minimum(other: TensorLike): Tensor {
    return elementwise("minimum", this, other);
  }
  /** bool: this = other. */
  equal(other: TensorLike): Tensor {
    return elementwise("equal", this, other);
  }
  /** bool: this < other. */
  less(other: TensorLike): Tensor {
    return elementwise("less", this, other);
  }
  /** bool: this <= other. */
  lessEqual(other: TensorLike): Tensor {
    return elementwise("lessEqual", this, other);
  }
  /** bool: this > other. */
  greater(other: TensorLike): Tensor {
    return elementwise("less", like(other, this, "greater"), this);
  }
  /** bool: this >= other. */
  greaterEqual(other: TensorLike): Tensor {
    return elementwise("lessEqual", like(other, this, "greaterEqual"), this);
  }
  /** bool: both. */
  and(other: TensorLike): Tensor {
    return elementwise("and", this, other);
  }
  /** bool: at least one. */
  or(other: TensorLike): Tensor {
    return elementwise("or", this, other);
  }
  /** bool: the opposite. */
  not(): Tensor {
    return elementwise("not", this);
  }
  /** -this. */
  neg(): Tensor {
    return elementwise("neg", this);
  }
  /** Absolute value. */
  abs(): Tensor {
    return elementwise("abs", this);
  }
  /** -1, 0 or 1. */
  sign(): Tensor {
    return elementwise("sign", this);
  }
  /** The greatest whole number not above. */
  floor(): Tensor {
    return elementwise("floor", this);
  }
  /** e to the power of this. */
  exp(): Tensor {
    return elementwise("exp", this);
  }
  /** exp(this) - 1, exact near 0. */
  expm1(): Tensor {
    return elementwise("expm1", this);
  }
  /** Natural logarithm. */
  log(): Tensor {
    return elementwise("log", this);
  }
  /** log(1 + this), exact near 0. */
  log1p(): Tensor {
    return elementwise("log1p", this);
  }
  /** Square root. */
  sqrt(): Tensor {
    return elementwise("sqrt", this);
  }
  /** 1 / this. */
  reciprocal(): Tensor {
    return elementwise("reciprocal", this);
  }
  /** Sine. */
  sin(): Tensor {
    return elementwise("sin", this);
  }
  /** Cosine. */
  cos(): Tensor {
    return elementwise("cos", this);
  }
  /** Hyperbolic tangent. */
  tanh(): Tensor {
    return elementwise("tanh", this);
  }
  /** 1 / (1 + exp(-this)). */
  sigmoid(): Tensor {
    return elementwise("sigmoid", this);
  }
  /** max(this, 0); its derivative at 0 is 0. */
  relu(): Tensor {
    return elementwise("relu", this);
  }
  /** Error function. */
  erf(): Tensor {
    return elementwise("erf", this);
  }
  /** True where the value is neither infinite nor NaN. */
  isFinite(): Tensor {
    return elementwise("isFinite", this);
  }
  /** The same values, through which no gradient flows. */
  detach(): Tensor {
    return elementwise("detach", this);
  }
  /** Conversion of the element type, the only thing u8 is for; float to integer truncates, f32 to f16 rounds. */
  cast(dtype: "f32" | "f16" | "i32" | "u32"): Tensor {
    if (this.dtype === dtype) return this.asTensor();
    return elementwise(({ f32: "castF32", f16: "castF16", i32: "castI32", u32: "castU32" } as const)[dtype], this);
  }

  // -- reductions: reduced axes disappear -------------------------------------------------------------
  /** Sum over `axes`, all unless given. */
  sum(axes?: Axes): Tensor {
    return reduceOver("sum", this, axes);
  }
  /** Maximum over `axes`, all unless given; equal maxima share the gradient. */
  max(axes?: Axes): Tensor {
    return reduceOver("max", this, axes);
  }
  /** Minimum over `axes`, all unless given; equal minima share the gradient. */
  min(axes?: Axes): Tensor {
    return reduceOver("min", this, axes);
  }
  /** Arithmetic mean of f32 values; NaN over no elements. Throws ShapeError for integers, whose mean is none. */
  mean(axes?: Axes): Tensor {
    located(() => requireDTypes("mean", [this], FLOATS));
    const sum = this.sum(axes);
    return sum.mul(sum.size / this.size);
  }

  // -- movement -----------------------------------------------------------------------------------------
  /** The same elements in a new shape; one size may be -1. */
  reshape(shape: readonly number[]): Tensor {
    const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1);
    const full = shape.map((size) => (size === -1 ? this.size / known : size));
    if (shape.filter((size) => size === -1).length > 1 || full.some((size) => !Number.isInteger(size) || size < 0)) {
      throw new ShapeError({
        what: "reshape",
        path: currentLayer(),
        facts: `x is ${formatShape(this.shape)}, the new shape ${formatShape(shape)}`,
        expected: "sizes whose product is the number of elements, at most one of them -1",
        site: describeSite(captureSite()),
      });
    }
    return sameShape(full, this.shape)
      ? this.asTensor()
      : create(movements.reshape, [this.asTensor()], { shape: full });
  }
  /** Keeps the first `axis` axes and merges the rest. */
  flatten(axis = 1): Tensor {
    return this.reshape([...this.shape.slice(0, axis), elementCount(this.shape.slice(axis))]);
  }
  /** Permutes axes; reverses them when none are given. */
  transpose(axes?: readonly number[]): Tensor {
    return create(movements.transpose, [this.asTensor()], {
      axes: axes ?? this.shape.map((_, axis) => this.rank - 1 - axis),
    });
  }
  /** Repeats axes of size 1, and adds axes in front, to give `shape`. */
  broadcast(shape: readonly number[]): Tensor {
    return sameShape(shape, this.shape) ? this.asTensor() : create(movements.broadcast, [this.asTensor()], { shape });
  }
  /** Elements start <= index < end on every axis. */
  slice(start: readonly number[], end: readonly number[]): Tensor {
    return create(movements.slice, [this.asTensor()], { start, end });
  }
  /** Zeros around the values. */
  pad(before: readonly number[], after: readonly number[]): Tensor {
    return create(coreOps.pad, [this.asTensor()], { before, after });
  }

  // -- products and windows -----------------------------------------------------------------------------
  /** Matrix product of [M,K] and [K,N], or of batches of them. */
  matmul(other: Operand, { transposeA = false, transposeB = false } = {}): Tensor {
    return create(coreOps.matmul, [this.asTensor(), other.asTensor()], { transposeA, transposeB });
  }
  /** x [N,C,H,W] with weight [O,C,R,S] (torch.nn.functional.conv2d). */
  conv2d(weight: Operand, attrs: ConvAttrs): Tensor {
    return create(coreOps.conv2d, [this.asTensor(), weight.asTensor()], attrs);
  }
  /** Gradient of conv2d's input, given this gradient of its output. */
  conv2dInputGrad(weight: Operand, attrs: ConvInputGradAttrs): Tensor {
    return create(coreOps.conv2dInputGrad, [this.asTensor(), weight.asTensor()], attrs);
  }
  /** Gradient of conv2d's weight, given its input (this) and the gradient of its output. */
  conv2dWeightGrad(outputGrad: Operand, attrs: ConvWeightGradAttrs): Tensor {
    return create(coreOps.conv2dWeightGrad, [this.asTensor(), outputGrad.asTensor()], attrs);
  }
  /** Maximum of every window of x [N,C,H,W] (torch.nn.functional.max_pool2d). */
  maxPool2d(attrs: PoolAttrs): Tensor {
    return this.poolGather(create(coreOps.maxPool2dIndex, [this.asTensor()], attrs), attrs);
  }
  /** The values of x [N,C,H,W] at pooled positions `index`. */
  poolGather(index: Operand, attrs: PoolAttrs): Tensor {
    return create(coreOps.poolGather, [this.asTensor(), index.asTensor()], attrs);
  }
  /** Adds these pooled values back to their positions. */
  poolScatter(index: Operand, attrs: PoolScatterAttrs): Tensor {
    return create(coreOps.poolScatter, [this.asTensor(), index.asTensor()], attrs);
  }

  /** The values, computed now: on `backend`, else where the Variables it reads live, else on the CPU. */
  data(backend?: Backend): Promise<HostValue> {
    return evaluate(this.asTensor(), backend);
  }
}

let created = 0;

/** An immutable description of a value; it owns no memory. */
export class Tensor extends Operand {
  readonly op: OpDefinition;
  readonly inputs: readonly Tensor[];
  readonly attrs: unknown;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Layer that made it, as a torch path; "" outside modules. */
  readonly layer: string;
  /** Increases with creation: inputs have smaller ids. */
  readonly id: number;
  /** The trace it was made in, if any. */
  readonly trace: Trace | undefined;
  readonly #site: Error;

  /** Use the fluent methods; `create` infers the type. */
  constructor(op: OpDefinition, inputs: readonly Tensor[], attrs: unknown, type: TensorType, site: Error) {
    super();
    this.op = op;
    this.inputs = inputs;
    this.attrs = attrs;
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.layer = currentLayer();
    this.id = created++;
    this.trace = currentTrace();
    this.#site = site;
  }

  override asTensor(): Tensor {
    return this;
  }

  /** Where the user's code made it. */
  get site(): string | undefined {
    return describeSite(this.#site);
  }

  override toString(): string {
    return `Tensor ${this.dtype}${formatShape(this.shape)} ${this.op.name}${this.layer ? ` in "${this.layer}"` : ""}`;
  }
}

/** Runs `body`; an error of this package that has no place yet gets the layer path and the user's call site. */
function located<T>(body: () => T, site = captureSite()): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof GuidanceError) || error.parts.site) throw error;
    const place = { path: currentLayer(), site: describeSite(site) };
    throw new (error.constructor as typeof GuidanceError)({ ...error.parts, ...place });
  }
}

/** Makes the tensor of an op; shape errors get the layer path and the user's call site. */
export function create<Attrs>(op: OpDefinition<Attrs>, inputs: readonly Tensor[], attrs: Attrs): Tensor {
  const site = captureSite();
  return located(() => new Tensor(op as OpDefinition, inputs, attrs, op.infer(inputs, attrs), site), site);
}

/**
 * `value` as a Tensor; a number takes the dtype of `other` (numbers next to bool are f32). Throws ValueError
 * for a fraction next to an integer tensor.
 */
function like(value: TensorLike, other: Operand, what: string): Tensor {
  if (typeof value !== "number") return value.asTensor();
  const dtype = other.dtype === "bool" || other.dtype === "u8" ? "f32" : other.dtype;
  requireValues(what, [value], dtype);
  return constant(value, { dtype });
}

/** Applies an elementwise op with NumPy broadcasting. */
export function elementwise(name: ElementwiseName, ...operands: readonly TensorLike[]): Tensor {
  const model =
    operands.find((operand, i) => typeof operand !== "number" && (name !== "where" || i > 0)) ?? constant(0);
  const inputs = operands.map((operand) => like(operand, model as Operand, name));
  const shape = inputs.reduce<readonly number[] | undefined>(
    (result, { shape }) => result && broadcastShapes(result, shape),
    [],
  );
  const values = name === "where" ? inputs.slice(1) : inputs;
  if (!shape || values.some(({ dtype }) => dtype !== values[0].dtype)) {
    throw new ShapeError({
      what: name,
      path: currentLayer(),
      facts: inputs.map(({ dtype, shape }, i) => `${"abcd"[i]} is ${dtype}${formatShape(shape)}`).join(", "),
      expected: "one dtype and sizes that are equal or 1, aligned at the last axis",
      hint: "Use reshape to line up the axes, or cast to change the dtype",
      site: describeSite(captureSite()),
    });
  }
  return create(
    elementwiseOps[name],
    inputs.map((input) => input.broadcast(shape)),
    undefined,
  );
}

function reduceOver(op: ReductionName, x: Operand, axes: Axes | undefined): Tensor {
  const normal = normalizeAxes(axes, x.rank);
  if (!normal) {
    throw new ShapeError({
      what: op,
      path: currentLayer(),
      facts: `x is ${formatShape(x.shape)}, axes are ${JSON.stringify(axes)}`,
      expected: `axes between ${-x.rank} and ${x.rank - 1}`,
      site: describeSite(captureSite()),
    });
  }
  return normal.length === 0 ? x.asTensor() : create(reduce, [x.asTensor()], { op, axes: normal });
}
