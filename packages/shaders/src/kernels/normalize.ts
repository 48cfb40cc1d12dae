/**
 * Brings a kernel into the simplest equal form before text is made from it: fewer dimensions mean fewer
 * divisions and fewer different shaders. Dimensions of size 1 go, and neighbours merge where every view walks
 * them as one.
 */
import { contiguousStrides, type Kernel, mapViews, type View, viewsOf } from "@guidance/tensor";

/** Runs [from, to) of dimensions of `sizes` that all `views` walk as one; dimensions of size 1 belong to no run. */
function mergeableRuns(sizes: readonly number[], views: readonly View[], first: number): [number, number][] {
  const runs: [number, number][] = [];
  sizes.forEach((size, i) => {
    const axis = first + i;
    if (size === 1) return;
    const last = runs.at(-1);
    // inner and outer are one walk when the outer step equals the whole inner extent
    const joins = last && views.every(({ strides }) => strides[last[1] - 1] === strides[axis] * size);
    if (last && joins) last[1] = axis + 1;
    else runs.push([axis, axis + 1]);
  });
  return runs;
}

/** Merges the dimensions of a space whose views are given; `groups` cut it into parts that must not merge. */
export function coalesce(groups: readonly (readonly number[])[], views: readonly View[]) {
  let first = 0;
  const runs = groups.map((sizes) => {
    // views index all groups together; within a run, dimensions of size 1 in between keep their place
    const own = mergeableRuns(sizes, views, first);
    first += sizes.length;
    return own;
  });
  const flat = groups.flat();
  return {
    sizes: runs.map((own) =>
      own.map(([from, to]) => flat.slice(from, to).reduce((product, size) => product * size, 1)),
    ),
    view: (view: View): View => ({
      offset: view.offset,
      // the stride of a run is that of its innermost dimension
      strides: runs.flat().map(([, to]) => view.strides[to - 1]),
    }),
  };
}

/**
 * The same kernel over the fewest dimensions. A domain of one element becomes [].
 *
 * @param output where the kernel's output elements lie, if not one after the other; comes back over the new domain
 */
export function normalizeKernel(
  kernel: Kernel,
  output: View = { offset: 0, strides: contiguousStrides(kernel.domain) },
): { kernel: Kernel; output: View } {
  const { core, body, domain } = kernel;
  const reduced = core?.op === "reduce" ? core.reduced : [];
  const prologue = core?.op === "reduce" ? core.body : [];
  // the epilogue's views span the domain only; the prologue's span domain and reduced dimensions
  const extend = ({ offset, strides }: View): View => ({ offset, strides: [...strides, ...reduced.map(() => 0)] });
  const outer = [output, ...viewsOf(body)].map(extend);
  const { sizes, view } = coalesce([domain, reduced], [...outer, ...viewsOf(prologue)]);
  const own = (given: View): View => {
    const { offset, strides } = view(extend(given));
    return { offset, strides: strides.slice(0, sizes[0].length) };
  };
  const simpler = { ...kernel, domain: sizes[0], body: mapViews(body, own) };
  if (core?.op !== "reduce") return { kernel: simpler, output: own(output) };
  return {
    kernel: { ...simpler, core: { ...core, reduced: sizes[1], body: mapViews(prologue, view) } },
    output: own(output),
  };
}
