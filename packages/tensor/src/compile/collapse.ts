/**
 * Collapse: merge adjacent dimensions of a kernel's index space where no expression tells them apart, so
 * that most kernels see one or two dimensions whatever the tensors' ranks.
 */
import { type Expression, type View, viewsOf } from "./kernel.ts";

/** Groups of dimensions that merge into one; size-1 dimensions vanish. */
function mergeable(sizes: readonly number[], all: readonly View[]): number[][] {
  const groups: number[][] = [];
  for (let d = 0; d < sizes.length; d++) {
    if (sizes[d] === 1) continue;
    const group = groups[groups.length - 1];
    const previous = group?.[group.length - 1];
    const joins = group && all.every(({ strides }) => strides[previous] === strides[d] * sizes[d]);
    if (joins) group.push(d);
    else groups.push([d]);
  }
  return groups;
}

/** An index space over fewer dimensions, and how expressions move there. */
export interface Collapsed {
  readonly domain: readonly number[];
  readonly reduced: readonly number[];
  /** Views over the domain. */
  outer(view: View): View;
  /** Views over [...domain, ...reduced]. */
  inner(view: View): View;
}

/**
 * @param body expressions over `domain`
 * @param inner views over [...domain, ...reduced]
 */
export function collapse(
  domain: readonly number[],
  body: readonly Expression[],
  reduced: readonly number[] = [],
  inner: readonly View[] = [],
): Collapsed {
  const kept = mergeable(domain, [...viewsOf(body), ...inner]);
  const gone = mergeable(
    reduced,
    inner.map(({ offset, strides }) => ({ offset, strides: strides.slice(domain.length) })),
  );
  const sizeOf = (sizes: readonly number[], group: readonly number[]) =>
    group.reduce((product, d) => product * sizes[d], 1);
  const change = (groups: readonly (readonly number[])[]) => (view: View) => ({
    offset: view.offset,
    // the stride of merged dimensions is that of the innermost
    strides: groups.map((group) => view.strides[group[group.length - 1]]),
  });
  return {
    domain: kept.map((group) => sizeOf(domain, group)),
    reduced: gone.map((group) => sizeOf(reduced, group)),
    outer: change(kept),
    inner: change([...kept, ...gone.map((group) => group.map((d) => d + domain.length))]),
  };
}
