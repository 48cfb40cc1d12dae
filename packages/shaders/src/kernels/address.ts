/**
 * Turns an affine view into the text of an element index at a place: offset + sum(coordinate * stride). What the
 * view leaves out (strides of 0 and 1) shows in the text; numbers are parameters. A view that walks the whole
 * space, or every s-th element of it, needs the linear index only, and no division.
 */
import type { View } from "@guidance/tensor";
import type { Mark, ShaderBuilder } from "./builder.ts";
import type { Place } from "./place.ts";

/**
 * Where an expression is evaluated. Under a loop over inner dimensions, `outer` holds the dimensions before them:
 * what depends on those alone is computed at `mark`, before the loop.
 */
export interface Site {
  readonly place: Place;
  readonly outer?: { readonly place: Place; readonly mark: Mark };
}

/** The step s such that the strides walk the space as s * (linear index), or undefined; 0 if they stand still. */
function linearStep(strides: readonly number[], sizes: readonly number[]): number | undefined {
  let step: number | undefined;
  let expected = 1;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    if (sizes[axis] === 1) continue;
    step ??= strides[axis];
    if (strides[axis] !== step * expected) return undefined;
    expected *= sizes[axis];
  }
  return step ?? 0;
}

/** Whether four lanes along `axis` lie in one aligned group of four elements. */
export function isContiguous({ offset, strides }: View, sizes: readonly number[], axis = sizes.length - 1): boolean {
  if (axis < 0 || strides[axis] !== 1 || sizes[axis] % 4 !== 0 || offset % 4 !== 0) return false;
  return strides.every((stride, d) => d === axis || sizes[d] === 1 || stride % 4 === 0);
}

/** Whether the view is at one element over the axes from `first` on. */
export function standsStill({ strides }: View, sizes: readonly number[], first = 0): boolean {
  return strides.every((stride, axis) => axis < first || stride === 0 || sizes[axis] === 1);
}

/** sum(coordinate * stride) over the axes of one place, "" if nothing is added. `first` numbers its first axis. */
function placeTerms(
  shader: ShaderBuilder,
  key: string,
  strides: readonly number[],
  place: Place,
  first: number,
): string {
  const times = (text: string, stride: number, axis: number) =>
    stride === 1 ? text : `${text} * ${shader.param(`${key}Stride${first + axis}`, "u32", stride)}`;
  const step = linearStep(strides, place.sizes);
  if (step === 0) return "";
  if (step !== undefined) return times(place.linear(), step, 0);
  const terms: string[] = [];
  strides.forEach((stride, axis) => {
    if (stride !== 0 && place.sizes[axis] !== 1) terms.push(times(place.coordinate(axis), stride, axis));
  });
  return terms.join(" + ");
}

/**
 * The element of a view at a site, counted from `origin`.
 *
 * @param key stem of the parameter names, unique per view within the shader
 * @param always keeps the offset in the text even if it is 0: for windows, whose offsets differ
 */
export function elementText(
  shader: ShaderBuilder,
  key: string,
  view: View,
  { place, outer }: Site,
  origin: number,
  always: boolean,
): string {
  const { strides } = view;
  const start = view.offset - origin;
  const offsetName = () => (start === 0 && !always ? "" : shader.param(`${key}Offset`, "u32", start));
  const join = (...parts: readonly string[]) => parts.filter((part) => part !== "").join(" + ");
  if (standsStill(view, [...(outer?.place.sizes ?? []), ...place.sizes])) return offsetName() || "0u";
  const split = outer?.place.sizes.length ?? 0;
  const inner = placeTerms(shader, key, strides.slice(split), place, split);
  if (!outer) return join(inner, offsetName()) || "0u";
  const base = shader.hoist(
    outer.mark,
    `${key} base`,
    "base",
    () => join(placeTerms(shader, key, strides.slice(0, split), outer.place, 0), offsetName()) || "0u",
  );
  return join(base, inner);
}
