/** What a step takes: declared types of its inputs, and the check of what each run gives for them. */
import type { DType, Precision, TensorType, TypedArray } from "./dtype.ts";
import { formatShape, ValueError } from "./errors.ts";
import { storageArray } from "./host-array.ts";
import { elementCount } from "./shape.ts";

/** Declared type of a step input. */
export type InputSpec = TensorType;
/** What a run may be given for an input: its elements, or one number for a scalar. */
export type InputValue = ArrayLike<number> | number;
/** The inputs of a step by name. */
export type Inputs = Readonly<Record<string, InputSpec>>;

const spec =
  (dtype: DType) =>
  (...shape: number[]): InputSpec => ({ shape, dtype });
/** Input of 32-bit floats, e.g. `f32(128, 784)`. */
export const f32 = spec("f32");
/** Input of 32-bit integers; a run refuses fractions. */
export const i32 = spec("i32");
/** Input of unsigned 32-bit integers; a run refuses fractions and negative numbers. */
export const u32 = spec("u32");
/** Input of bytes, packed; cast it first. */
export const u8 = spec("u8");

/**
 * The elements of every input in its storage type; the given array itself where it already is that, unless `copy`.
 * Throws ValueError naming an input that is unknown, missing, of another size, or not of its dtype.
 */
export function inputArrays(
  batch: Readonly<Record<string, InputValue>>,
  inputs: Inputs,
  precision: Precision,
  { copy }: { readonly copy: boolean },
): Map<string, TypedArray> {
  const unknown = Object.keys(batch).filter((name) => !Object.hasOwn(inputs, name));
  if (unknown.length > 0) {
    throw new ValueError({
      what: "step",
      facts: `it has no input ${unknown.map((name) => `"${name}"`).join(", ")}`,
      expected: `values for ${Object.keys(inputs).join(", ") || "no input at all"}`,
      hint: "Declare it in compile, or leave it out",
    });
  }
  return new Map(
    Object.entries(inputs).map(([name, { shape, dtype }]) => {
      const value = batch[name];
      const values = typeof value === "number" ? [value] : value;
      const count = elementCount(shape);
      if (!values || values.length !== count) {
        throw new ValueError({
          what: `step input "${name}"`,
          facts: values ? `${values.length} values were given` : "nothing was given",
          expected: `${count} values for ${dtype}${formatShape(shape)}`,
          hint: "A step has fixed shapes; compile another for another batch size",
        });
      }
      const array = storageArray(`step input "${name}"`, values, dtype, precision);
      return [name, copy && array === values ? array.slice() : array];
    }),
  );
}
