/**
 * Which dtypes an op takes. Arithmetic on bool and u8 means another thing on each device (a bool is a word on
 * one, a truth value on the other), so it is refused while tracing: bool is for logic and choices, u8 for casts. f16 is
 * for storage: products read it as it is, everything else casts it first.
 */
import type { DType, TensorType } from "../dtype.ts";
import { formatShape, ShapeError } from "../errors.ts";

export const FLOATS: readonly DType[] = ["f32"];
export const SIGNED: readonly DType[] = ["f32", "i32"];
export const NUMBERS: readonly DType[] = ["f32", "i32", "u32"];
export const UNSIGNED: readonly DType[] = ["u32"];
export const FLAGS: readonly DType[] = ["bool"];
/** What products and windows read. */
export const OPERANDS: readonly DType[] = ["f32", "f16"];
/** What may be chosen and compared: all but packed bytes and halves. */
export const STORED: readonly DType[] = ["f32", "i32", "u32", "bool"];
/** What may be moved. */
export const MOVED: readonly DType[] = [...STORED, "f16"];
/** What may be cast. */
export const EVERY: readonly DType[] = [...MOVED, "u8"];

function listed(dtypes: readonly DType[]): string {
  return dtypes.length === 1 ? dtypes[0] : `${dtypes.slice(0, -1).join(", ")} or ${dtypes[dtypes.length - 1]}`;
}

/** Throws ShapeError unless every input has a dtype that `accepted` lists for it; the last list serves the rest. */
export function requireDTypes(
  what: string,
  inputs: readonly TensorType[],
  ...accepted: readonly (readonly DType[])[]
): void {
  const acceptedBy = (i: number) => accepted[Math.min(i, accepted.length - 1)];
  const wrong = inputs.findIndex(({ dtype }, i) => !acceptedBy(i).includes(dtype));
  if (wrong < 0) return;
  const wanted = acceptedBy(wrong);
  throw new ShapeError({
    what,
    facts: inputs.map(({ dtype, shape }, i) => `${"abcd"[i]} is ${dtype}${formatShape(shape)}`).join(", "),
    expected: `${listed(wanted)} for ${"abcd"[wrong]}`,
    hint: wanted === FLAGS ? "Compare first, e.g. x.greater(0)" : `Cast first, e.g. x.cast("${wanted[0]}")`,
  });
}
