/** Arithmetic on shapes: pure functions from number lists to number lists. */

export type Shape = readonly number[];

/** Number of elements; 1 for a scalar. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** Row-major strides in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** Whether two shapes are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** The NumPy broadcast of two shapes, or undefined where they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const sizeA = a[axis - rank + a.length] ?? 1;
    const sizeB = b[axis - rank + b.length] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) return undefined;
    result.push(sizeA === 1 ? sizeB : sizeA);
  }
  return result;
}

/** Axes as sorted, unique, non-negative numbers; undefined means all. Returns undefined if one is out of range. */
export function normalizeAxes(axes: number | readonly number[] | undefined, rank: number): number[] | undefined {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const list = (typeof axes === "number" ? [axes] : axes).map((axis) => (axis < 0 ? axis + rank : axis));
  if (list.some((axis) => !Number.isInteger(axis) || axis < 0 || axis >= rank)) return undefined;
  return [...new Set(list)].sort((a, b) => a - b);
}
