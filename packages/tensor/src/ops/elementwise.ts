/**
 * The table of elementwise ops: one row an op, with the dtypes it takes, value and derivative side by side.
 * Inputs of one op have equal shapes (broadcasts are explicit movement ops). Shader text for a row lives in
 * the shaders package under the same name.
 */
import type { DType, TensorType, TypedArray } from "../dtype.ts";
import { formatShape, ShapeError } from "../errors.ts";
import { roundToHalf } from "../half.ts";
import { threefry2x32 } from "../random.ts";
import { elementCount, sameShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { currentTrace } from "../trace.ts";
import { where } from "../values.ts";
import { EVERY, FLAGS, FLOATS, NUMBERS, requireDTypes, SIGNED, STORED, UNSIGNED } from "./accept.ts";
import type { OpDefinition } from "./define.ts";
import { erf } from "./erf.ts";

/** An elementwise op: types, value and derivative. */
export interface ElementwiseRow {
  readonly arity: 1 | 2 | 3 | 4;
  /** Dtypes of each argument; the last list serves the arguments after it. */
  readonly accepts: readonly (readonly DType[])[];
  /** Dtype of the result, given the input dtypes. */
  readonly result: (dtypes: readonly DType[]) => DType;
  /** The value at one index; computed in float64 and rounded when stored. */
  readonly evaluate: (a: number, b: number, c: number, d: number) => number;
  /** The same for i32 and u32 where float64 would lose low bits; only the low 32 bits are stored. */
  readonly evaluateInteger?: (a: number, b: number) => number;
  /** Gradient of each input, given the gradient of the output; null = none. */
  readonly vjp: (grad: Tensor, inputs: readonly Tensor[], output: Tensor) => readonly (Tensor | null)[];
}

const same = (dtypes: readonly DType[]): DType => dtypes[0];
const float = (): DType => "f32";
const bool = (): DType => "bool";
const none = (): readonly null[] => [];

type Derivative = (x: Tensor, y: Tensor) => Tensor;

/** A float function of one variable; `derivative` is dy/dx. */
function unary(evaluate: (x: number) => number, derivative: Derivative): ElementwiseRow {
  return { arity: 1, accepts: [FLOATS], result: same, evaluate, vjp: (grad, [x], y) => [grad.mul(derivative(x, y))] };
}

/** A function whose derivative is zero wherever it exists. */
function flat(accepted: readonly DType[], evaluate: (x: number) => number, result = same): ElementwiseRow {
  return { arity: 1, accepts: [accepted], result, evaluate, vjp: none };
}

function binary(evaluate: ElementwiseRow["evaluate"], vjp: ElementwiseRow["vjp"], accepted = NUMBERS): ElementwiseRow {
  return { arity: 2, accepts: [accepted], result: same, evaluate, vjp };
}

function compare(accepted: readonly DType[], evaluate: (a: number, b: number) => boolean): ElementwiseRow {
  return { arity: 2, accepts: [accepted], result: bool, evaluate: (a, b) => (evaluate(a, b) ? 1 : 0), vjp: none };
}

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/** Gradient of max / min: to the winner, halved between equals (as torch does). */
function toWinner(grad: Tensor, winner: Tensor, tie: Tensor): Tensor {
  return where(tie, grad.mul(0.5), where(winner, grad, 0));
}

const rows = {
  // -- unary -------------------------------------------------------------------------------------
  neg: { arity: 1, accepts: [SIGNED], result: same, evaluate: (x) => -x, vjp: (grad) => [grad.neg()] },
  // d|x| = sign(x) dx
  abs: { arity: 1, accepts: [SIGNED], result: same, evaluate: Math.abs, vjp: (grad, [x]) => [grad.mul(x.sign())] },
  sign: flat(SIGNED, (x) => (x > 0 ? 1 : x < 0 ? -1 : x)),
  floor: flat(FLOATS, Math.floor),
  exp: unary(Math.exp, (_, y) => y),
  expm1: unary(Math.expm1, (_, y) => y.add(1)),
  log: unary(Math.log, (x) => x.reciprocal()),
  log1p: unary(Math.log1p, (x) => x.add(1).reciprocal()),
  // d sqrt(x) = dx / (2 sqrt(x))
  sqrt: unary(Math.sqrt, (_, y) => y.reciprocal().mul(0.5)),
  // d(1/x) = -x^-2 dx
  reciprocal: unary(
    (x) => 1 / x,
    (_, y) => y.mul(y).neg(),
  ),
  sin: unary(Math.sin, (x) => x.cos()),
  cos: unary(Math.cos, (x) => x.sin().neg()),
  // d tanh(x) = (1 - tanh(x)^2) dx
  tanh: unary(Math.tanh, (_, y) => y.mul(y).neg().add(1)),
  // d sigmoid(x) = s (1 - s) dx
  sigmoid: unary(
    (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
    (_, y) => y.mul(y.neg().add(1)),
  ),
  // NaN stays NaN, as in torch; the derivative at 0 is 0.
  relu: {
    arity: 1,
    accepts: [SIGNED],
    result: same,
    evaluate: (x) => Math.max(x, 0),
    vjp: (grad, _inputs, y) => [where(y.greater(0), grad, 0)],
  },
  // d erf(x) = 2/sqrt(pi) exp(-x^2) dx
  erf: unary(erf, (x) => x.mul(x).neg().exp().mul(TWO_OVER_SQRT_PI)),
  isFinite: flat(FLOATS, (x) => (Number.isFinite(x) ? 1 : 0), bool),
  not: flat(FLAGS, (x) => (x ? 0 : 1), bool),
  /** Identity that stops gradients. */
  detach: flat(STORED, (x) => x),
  /** u32 bits to a float in [0, 1): the top 24 bits, exact in float32. */
  unitFromBits: flat(UNSIGNED, (bits) => (bits >>> 8) * 2 ** -24, float),

  // -- binary ------------------------------------------------------------------------------------
  add: binary(
    (a, b) => a + b,
    (grad) => [grad, grad],
  ),
  sub: binary(
    (a, b) => a - b,
    (grad) => [grad, grad.neg()],
  ),
  mul: {
    ...binary(
      (a, b) => a * b,
      (grad, [a, b]) => [grad.mul(b), grad.mul(a)],
    ),
    evaluateInteger: Math.imul,
  },
  // d(a/b) = da/b - (a/b)/b db
  div: binary(
    (a, b) => a / b,
    (grad, [, b], y) => [grad.div(b), grad.mul(y).div(b).neg()],
  ),
  // d(a^b) = b a^(b-1) da + a^b log(a) db; a^0 is flat, also at 0
  pow: binary(
    (a, b) => a ** b,
    (grad, [a, b], y) => [
      grad.mul(b).mul(a.pow(where(b.equal(0), 1, b.sub(1)))),
      grad.mul(y).mul(where(a.greater(0), a, 1).log()),
    ],
    FLOATS,
  ),
  maximum: binary(
    (a, b) => (a > b || Number.isNaN(a) ? a : b),
    (grad, [a, b]) => [toWinner(grad, a.greater(b), a.equal(b)), toWinner(grad, b.greater(a), a.equal(b))],
  ),
  minimum: binary(
    (a, b) => (a < b || Number.isNaN(a) ? a : b),
    (grad, [a, b]) => [toWinner(grad, a.less(b), a.equal(b)), toWinner(grad, b.less(a), a.equal(b))],
  ),
  equal: compare(STORED, (a, b) => a === b),
  less: compare(NUMBERS, (a, b) => a < b),
  lessEqual: compare(NUMBERS, (a, b) => a <= b),
  and: compare(FLAGS, (a, b) => a !== 0 && b !== 0),
  or: compare(FLAGS, (a, b) => a !== 0 || b !== 0),

  // -- more --------------------------------------------------------------------------------------
  /** condition ? a : b */
  where: {
    arity: 3,
    accepts: [FLAGS, STORED],
    result: ([, a]) => a,
    evaluate: (condition, a, b) => (condition ? a : b),
    vjp: (grad, [condition]) => [null, where(condition, grad, 0), where(condition, 0, grad)],
  },
  /** Random u32 of (index, counter, seed, stream): Threefry-2x32, first word. */
  randomBits: { arity: 4, accepts: [UNSIGNED], result: same, evaluate: threefry2x32, vjp: none },
  castF32: {
    arity: 1,
    accepts: [EVERY],
    result: float,
    evaluate: (x) => x,
    // the gradient of an f16 tensor is f32: it is rounded where the tensor itself was
    vjp: (grad, [x]) => [x.dtype === "f32" || x.dtype === "f16" ? grad : null],
  },
  /** Rounds to half precision, and stores 16 bits; its gradient is stored alike. */
  castF16: {
    arity: 1,
    accepts: [FLOATS],
    result: () => "f16",
    evaluate: roundToHalf,
    vjp: (grad) => {
      const half = grad.cast("f16");
      currentTrace()?.halves.push(half);
      return [half.cast("f32")];
    },
  },
  castI32: flat(EVERY, Math.trunc, () => "i32"),
  castU32: flat(EVERY, Math.trunc, () => "u32"),
} satisfies Record<string, ElementwiseRow>;

/** Names of elementwise ops. */
export type ElementwiseName = keyof typeof rows;

/** The table they are made of. */
export const elementwiseRows: Readonly<Record<ElementwiseName, ElementwiseRow>> = rows;

function define(name: ElementwiseName, row: ElementwiseRow): OpDefinition {
  return {
    name,
    family: "elementwise",
    infer(inputs: readonly TensorType[]) {
      if (inputs.length !== row.arity || inputs.some(({ shape }) => !sameShape(shape, inputs[0].shape))) {
        throw new ShapeError({
          what: name,
          facts: `inputs are ${inputs.map(({ shape }) => formatShape(shape)).join(" and ")}`,
          expected: `${row.arity} equal shapes`,
        });
      }
      requireDTypes(name, inputs, ...row.accepts);
      return { shape: inputs[0].shape, dtype: row.result(inputs.map(({ dtype }) => dtype)) };
    },
    reference(inputs: readonly TypedArray[], types, _attrs, output) {
      const count = elementCount(types[0].shape);
      const [a, b = a, c = a, d = a] = inputs;
      const evaluate = (types[0].dtype !== "f32" && row.evaluateInteger) || row.evaluate;
      for (let i = 0; i < count; i++) output[i] = evaluate(a[i], b[i], c[i], d[i]);
    },
    vjp: row.vjp,
  };
}

/** Elementwise ops by name. */
export const elementwiseOps = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [name, define(name as ElementwiseName, row)]),
) as unknown as Readonly<Record<ElementwiseName, OpDefinition & { readonly name: ElementwiseName }>>;
