/**
 * Collapse: merge adjacent dimensions of a kernel's index space where no expression tells them apart, so
 * that most kernels see one or two dimensions whatever the tensors' ranks.
 */
import type { Expression, ReduceCore, View } from "./kernel.ts";

type Prologue = Omit<ReduceCore, "op">;

const views = (expressions: readonly Expression[]): View[] =>
  expressions.flatMap((expression) =>
    expression.kind === "load" || expression.kind === "index" ? [expression.view] : [],
  );

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

function remap(expressions: readonly Expression[], groups: readonly number[][]): Expression[] {
  return expressions.map((expression) => {
    if (expression.kind !== "load" && expression.kind !== "index") return expression;
    const { offset, strides } = expression.view;
    return { ...expression, view: { offset, strides: groups.map((group) => strides[group[group.length - 1]]) } };
  });
}

/** The same kernel over fewer dimensions. */
export function collapse(domain: readonly number[], body: readonly Expression[], prologue?: Prologue) {
  const inner = views(prologue?.body ?? []);
  const kept = mergeable(domain, [...views(body), ...inner]);
  const size = (sizes: readonly number[], group: readonly number[]) =>
    group.reduce((product, d) => product * sizes[d], 1);
  const result = { domain: kept.map((group) => size(domain, group)), body: remap(body, kept) };
  if (!prologue) return { ...result, core: undefined };
  const { reduced } = prologue;
  const shifted = inner.map(({ offset, strides }) => ({ offset, strides: strides.slice(domain.length) }));
  const gone = mergeable(reduced, shifted);
  const full = [...kept, ...gone.map((group) => group.map((d) => d + domain.length))];
  const core: ReduceCore = {
    op: "reduce",
    reduced: gone.map((group) => size(reduced, group)),
    body: remap(prologue.body, full),
    reductions: prologue.reductions,
  };
  return { ...result, core };
}
