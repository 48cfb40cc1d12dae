/**
 * WGSL text of every elementwise op, under the names of the tensor package's table: a missing row does not
 * compile. All text works at width 1 and on vec4. Where the built-in functions lose accuracy or drop NaN
 * (see numerics.ts) our own take their place.
 */
import type { DType, ElementwiseName } from "@guidance/tensor";
import type { ShaderBuilder } from "./builder.ts";
import { type NumericsName, numericsFunction } from "./numerics.ts";
import { type ValueScalar, valueScalar, type Width, wgslType } from "./wgsl.ts";

/** What a row may ask about the operation it prints. */
export interface ElementwiseContext {
  /** Type of the first value argument (all arguments of arithmetic have the same). */
  readonly scalar: ValueScalar;
  /** WGSL type of the result, e.g. `vec4<f32>`. */
  readonly result: string;
  /** WGSL type of a scalar at this width. */
  type(scalar: ValueScalar): string;
  /** A call of one of our own functions. */
  call(name: NumericsName, ...args: readonly string[]): string;
}

type Row = (args: readonly string[], context: ElementwiseContext) => string;

const zero = ({ scalar, type }: ElementwiseContext): string => `${type(scalar)}(0)`;

/** A float function by the name WGSL has for it. */
const builtin =
  (name: string): Row =>
  ([x], { scalar, type }) =>
    `${name}(${asFloat(x, scalar, type)})`;

/** A float function of our own. */
const own =
  (name: NumericsName): Row =>
  ([x], { scalar, type, call }) =>
    call(name, asFloat(x, scalar, type));

function asFloat(text: string, scalar: ValueScalar, type: ElementwiseContext["type"]): string {
  return scalar === "f32" ? text : `${type("f32")}(${text})`;
}

function asBool(text: string, scalar: ValueScalar, type: ElementwiseContext["type"]): string {
  return scalar === "bool" ? text : `(${text} != ${type(scalar)}(0))`;
}

/** bool arithmetic is logic: WGSL has none on bool. */
const arithmetic =
  (operator: string, logical: string): Row =>
  ([a, b], { scalar }) =>
    `${a} ${scalar === "bool" ? logical : operator} ${b}`;

const ordered =
  (operator: string): Row =>
  ([a, b], { scalar, type }) =>
    scalar === "bool" ? `${type("u32")}(${a}) ${operator} ${type("u32")}(${b})` : `${a} ${operator} ${b}`;

/** The larger or smaller of two; NaN wins, as in torch. */
const extreme =
  (operator: ">" | "<", name: "max" | "min", logical: "|" | "&"): Row =>
  ([a, b], { scalar, call }) => {
    if (scalar === "bool") return `${a} ${logical} ${b}`;
    if (scalar !== "f32") return `${name}(${a}, ${b})`;
    return `select(${b}, ${a}, (${a} ${operator} ${b}) | ${call("isNaN", a)})`;
  };

/** The text that is the value itself, converted to the result type. */
const convert: Row = ([x], { result }) => `${result}(${x})`;

export const elementwiseRows: Readonly<Record<ElementwiseName, Row>> = {
  // -- unary
  neg: ([x], context) => {
    if (context.scalar === "bool") return x;
    return context.scalar === "u32" ? `${zero(context)} - ${x}` : `-${x}`;
  },
  abs: ([x], { scalar }) => (scalar === "bool" || scalar === "u32" ? x : `abs(${x})`),
  // the last branch keeps NaN and signed zero
  sign: ([x], context) => {
    const { scalar, type } = context;
    if (scalar === "bool") return x;
    if (scalar === "u32") return `min(${x}, ${type(scalar)}(1))`;
    const one = (value: number) => `${type(scalar)}(${value})`;
    return `select(select(${x}, ${one(-1)}, ${x} < ${zero(context)}), ${one(1)}, ${x} > ${zero(context)})`;
  },
  floor: ([x], { scalar }) => (scalar === "f32" ? `floor(${x})` : x),
  exp: own("expAccurate"),
  expm1: own("expm1Accurate"),
  log: own("logAccurate"),
  log1p: own("log1pAccurate"),
  sqrt: builtin("sqrt"),
  reciprocal: ([x], { scalar, type }) => `${type("f32")}(1) / ${asFloat(x, scalar, type)}`,
  sin: own("sinAccurate"),
  cos: own("cosAccurate"),
  tanh: own("tanhAccurate"),
  // exp overflows to infinity for very negative x, and 1 / infinity is the right 0
  sigmoid: ([x], { scalar, type, call }) => {
    const one = `${type("f32")}(1)`;
    return `${one} / (${one} + ${call("expAccurate", `-${asFloat(x, scalar, type)}`)})`;
  },
  // max(x, 0) would turn NaN into 0
  relu: ([x], context) => {
    if (context.scalar === "bool" || context.scalar === "u32") return x;
    return `select(${x}, ${zero(context)}, ${x} <= ${zero(context)})`;
  },
  erf: own("erfAccurate"),
  isFinite: ([x], { scalar, type, call }) => (scalar === "f32" ? call("isFiniteBits", x) : `${type("bool")}(true)`),
  not: ([x], { scalar, type }) => (scalar === "bool" ? `!${x}` : `${x} == ${type(scalar)}(0)`),
  detach: ([x]) => x,
  unitFromBits: ([x], { scalar, type }) => {
    const bits = scalar === "u32" ? x : `${type("u32")}(${x})`;
    return `${type("f32")}(${bits} >> ${type("u32")}(8u)) * 0x1p-24f`;
  },
  // -- binary
  add: arithmetic("+", "|"),
  sub: ([a, b], { scalar }) => (scalar === "bool" ? `${a} != ${b}` : `${a} - ${b}`),
  mul: arithmetic("*", "&"),
  // the table computes in float64 and truncates, which makes an integer divided by zero 0
  div: ([a, b], context) => {
    if (context.scalar === "bool") return `${a} & ${b}`;
    return context.scalar === "f32" ? `${a} / ${b}` : `select(${a} / ${b}, ${zero(context)}, ${b} == ${zero(context)})`;
  },
  pow: ([a, b], { scalar, type, result, call }) => {
    const power = call("powAccurate", asFloat(a, scalar, type), asFloat(b, scalar, type));
    return scalar === "f32" ? power : `${result}(${power})`;
  },
  maximum: extreme(">", "max", "|"),
  minimum: extreme("<", "min", "&"),
  equal: ([a, b]) => `${a} == ${b}`,
  less: ordered("<"),
  lessEqual: ordered("<="),
  and: ([a, b], { scalar, type }) => `${asBool(a, scalar, type)} & ${asBool(b, scalar, type)}`,
  or: ([a, b], { scalar, type }) => `${asBool(a, scalar, type)} | ${asBool(b, scalar, type)}`,
  // -- more
  where: ([condition, a, b], { scalar, type }) => `select(${b}, ${a}, ${asBool(condition, scalar, type)})`,
  randomBits: ([index, counter, seed, stream], { call }) => call("threefry", index, counter, seed, stream),
  castF32: convert,
  castF16: own("roundHalf"),
  castI32: convert,
  castU32: convert,
};

/** The expression of op `name` on values `args` of dtypes `from`, giving dtype `to`. */
export function elementwiseText(
  shader: ShaderBuilder,
  name: ElementwiseName,
  args: readonly string[],
  from: readonly DType[],
  to: DType,
  width: Width,
): string {
  const type = (scalar: ValueScalar) => wgslType(scalar, width);
  const context: ElementwiseContext = {
    scalar: valueScalar(from[0]),
    result: type(valueScalar(to)),
    type,
    call: (callee, ...values) => `${numericsFunction(shader, callee, width)}(${values.join(", ")})`,
  };
  // random words are drawn from u32 bits whatever integer type the index has
  const values =
    name === "randomBits"
      ? args.map((arg, i) => (valueScalar(from[i]) === "u32" ? arg : `${type("u32")}(${arg})`))
      : args;
  return elementwiseRows[name](values, context);
}
