/**
 * A state_dict: the values of a module by torch name, as safetensors holds them. Files come from elsewhere, so what
 * does not fit is refused by name before anything changes, and no bits are taken for another dtype's.
 */
import type { DType, TypedArray } from "../dtype.ts";
import { formatShape, GuidanceError } from "../errors.ts";
import { floatFromHalf } from "../half.ts";
import type { SafetensorsTensor } from "../safetensors.ts";
import type { SafetensorsArray, SafetensorsType } from "../safetensors-header.ts";
import { sameShape } from "../shape.ts";
import type { Variable } from "../variable.ts";

/** Elements of a state_dict by torch name. */
export type StateDict = Map<string, SafetensorsTensor>;

/** A state_dict that does not fit: names what is missing, unexpected, mis-shaped or of another dtype. */
export class StateDictError extends GuidanceError {}

/** Stored dtypes whose values a Variable can take: a weight is no integer, and a counter no fraction. */
const loadable: Readonly<Partial<Record<DType, readonly string[]>>> = {
  f32: ["F32", "F64", "F16"],
  i32: ["I64", "I32"],
  u32: ["I64", "U32"],
};

/** As what the elements of a Variable are stored: integers as I64, as torch has them. */
export function storedType({ dtype, shape, precision }: Variable): SafetensorsType {
  return { dtype: dtype !== "f32" ? "I64" : precision === "float64" ? "F64" : "F32", shape: [...shape] };
}

/** Elements of a Variable as they are stored. */
export function toStored(data: TypedArray): SafetensorsArray {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  return BigInt64Array.from([...data].map(BigInt));
}

/** The numbers of a stored tensor. */
export function fromStored({ dtype, data }: SafetensorsTensor): ArrayLike<number> {
  if (dtype === "F16") return Float32Array.from(data as Uint16Array, floatFromHalf);
  return data instanceof BigInt64Array ? Array.from(data, Number) : data;
}

/** Throws StateDictError unless `state` has exactly the tensors of `own`. */
export function checkStateDict(state: StateDict, own: ReadonlyMap<string, Variable>): void {
  const missing = [...own.keys()].filter((name) => !state.has(name));
  const unexpected = [...state.keys()].filter((name) => !own.has(name));
  const misfits = [...own].flatMap(([name, variable]) => {
    const given = state.get(name);
    return given ? misfit(name, given, variable) : [];
  });
  if (missing.length + unexpected.length + misfits.length === 0) return;
  const facts = [
    missing.length > 0 && `missing ${missing.join(", ")}`,
    unexpected.length > 0 && `unexpected ${unexpected.join(", ")}`,
    ...misfits,
  ];
  throw new StateDictError({
    what: "loadStateDict",
    facts: facts.filter(Boolean).join("; "),
    expected: "the tensors of this model",
    hint: "Check that the model is built with the same sizes, and that the file holds its values",
  });
}

const fitsWord = (value: bigint, dtype: DType): boolean =>
  value === (dtype === "i32" ? BigInt.asIntN(32, value) : BigInt.asUintN(32, value));

/** What is wrong with a stored tensor for its Variable: nothing, or one line. */
function misfit(name: string, { dtype, shape, data }: SafetensorsTensor, variable: Variable): string[] {
  if (!sameShape(shape, variable.shape))
    return [`${name} is ${formatShape(shape)}, the model has ${formatShape(variable.shape)}`];
  const fitting = loadable[variable.dtype] ?? [];
  if (!fitting.includes(dtype))
    return [`${name} is ${dtype}, which does not load into ${variable.dtype} (${fitting.join(", ")} do)`];
  if (data instanceof BigInt64Array && data.some((value) => !fitsWord(value, variable.dtype)))
    return [`${name} has a value beyond ${variable.dtype}`];
  return data.length === variable.size ? [] : [`${name} has ${data.length} values for shape ${formatShape(shape)}`];
}
