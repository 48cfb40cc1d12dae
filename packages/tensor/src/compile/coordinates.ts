/**
 * Coordinates: where in a tensor a kernel looks when it stands at a domain index. One affine function of
 * the domain index per tensor axis. Movement ops map the coordinates of their result to coordinates of
 * their input, so a fused kernel reads through any chain of them with one affine load.
 */
import type { BroadcastAttrs, SliceAttrs, TransposeAttrs } from "../ops/movement.ts";
import { contiguousStrides } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import type { View } from "./kernel.ts";

/** One View per axis of the tensor; together they give the element at a domain index. */
export type Coordinates = readonly View[];

const keys = new WeakMap<Coordinates, string>();

/** Text that equal coordinates share; coordinates are handed down unchanged, so it is kept. */
export function coordinatesKey(coordinates: Coordinates): string {
  let key = keys.get(coordinates);
  if (key === undefined) {
    key = coordinates.map(({ offset, strides }) => `${offset}+${strides}`).join(";");
    keys.set(coordinates, key);
  }
  return key;
}

/** Axis i is domain dimension `dimensions[i]` of `rank`. */
export function axisCoordinates(dimensions: readonly number[], rank: number): Coordinates {
  return dimensions.map((dimension) => ({
    offset: 0,
    strides: Array.from({ length: rank }, (_, d) => (d === dimension ? 1 : 0)),
  }));
}

/** The linear element index of coordinates in a dense tensor of `shape`. */
export function linearView(coordinates: Coordinates, shape: readonly number[], rank: number): View {
  const steps = contiguousStrides(shape);
  const strides = new Array<number>(rank).fill(0);
  let offset = 0;
  coordinates.forEach((axis, i) => {
    offset += axis.offset * steps[i];
    axis.strides.forEach((stride, d) => {
      strides[d] += stride * steps[i];
    });
  });
  return { offset, strides };
}

/**
 * Coordinates in a tensor of shape `to` of the elements at `coordinates` in shape `from` (same element
 * order). Undefined where that would need a division: a domain dimension that straddles two axes.
 */
export function reshapeCoordinates(
  coordinates: Coordinates,
  from: readonly number[],
  to: readonly number[],
  domain: readonly number[],
): Coordinates | undefined {
  const linear = linearView(coordinates, from, domain.length);
  const steps = contiguousStrides(to);
  let rest = linear.offset;
  const offsets = steps.map((step) => {
    const whole = Math.floor(rest / step);
    rest -= whole * step;
    return whole;
  });
  const strides = to.map(() => new Array<number>(domain.length).fill(0));
  const highest = [...offsets];
  for (let d = 0; d < domain.length; d++) {
    const stride = linear.strides[d];
    if (stride === 0 || domain[d] <= 1) continue;
    const axis = steps.findIndex((step, i) => to[i] > 1 && stride >= step);
    if (axis < 0 || stride % steps[axis] !== 0) return undefined;
    strides[axis][d] = stride / steps[axis];
    highest[axis] += strides[axis][d] * (domain[d] - 1);
  }
  const fits = highest.every((index, axis) => index < to[axis] || domain.includes(0));
  return fits ? to.map((_, axis) => ({ offset: offsets[axis], strides: strides[axis] })) : undefined;
}

/** Coordinates in the input of a movement op, given those in its result; undefined where not affine. */
export function inputCoordinates(
  tensor: Tensor,
  coordinates: Coordinates,
  domain: readonly number[],
): Coordinates | undefined {
  const [input] = tensor.inputs;
  switch (tensor.op.name) {
    case "broadcast": {
      const { shape } = tensor.attrs as BroadcastAttrs;
      const lead = shape.length - input.shape.length;
      const still: View = { offset: 0, strides: domain.map(() => 0) };
      return input.shape.map((size, axis) => (size === 1 ? still : coordinates[axis + lead]));
    }
    case "transpose": {
      const { axes } = tensor.attrs as TransposeAttrs;
      return axes.map((_, axis) => coordinates[axes.indexOf(axis)]);
    }
    case "slice": {
      const { start } = tensor.attrs as SliceAttrs;
      return coordinates.map(({ offset, strides }, axis) => ({ offset: offset + start[axis], strides }));
    }
    default:
      return reshapeCoordinates(coordinates, tensor.shape, input.shape, domain);
  }
}
