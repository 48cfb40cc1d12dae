/**
 * Chained reductions: for each item (one row of the reduced space, or four neighbouring columns) the stages run one
 * after another, all by the same team, so that results stay in registers and what one stage reads is in cache for the
 * next. One dispatch does what would be a reduction for each stage and a map after them.
 *
 * - `thread`: one thread an item. For columns (items side by side in memory) on CPU adapters, and for short rows.
 * - `subgroup`, `workgroup`: lanes side by side along a row.
 * - `block`: 32 columns side by side, their rows dealt out to eight walkers. For columns on GPUs.
 */
import {
  contiguousStrides,
  elementCount,
  type Kernel,
  mapViews,
  type StagesCore,
  type View,
  viewsOf,
} from "@guidance/tensor";
import { elementText, isContiguous } from "./address.ts";
import { type BodySpace, emitStores, epilogueSpace, planLoads } from "./body.ts";
import { ShaderBuilder } from "./builder.ts";
import type { DeviceTraits, Dispatch, KernelGenerator } from "./dispatch.ts";
import { gridOf, loopGrid } from "./grid.ts";
import { coalesce } from "./normalize.ts";
import { linearPlace } from "./place.ts";
import { foldBlock, foldLanes, foldSubgroup, foldWorkgroup, type Reduction } from "./reduce-combine.ts";
import { emitReduceLoop } from "./reduce-loop.ts";
import { HARDWARE_WORKGROUP, LONG_ROW, SHORT_ROW, SOFTWARE_SUBGROUP_WORKGROUPS, walksColumns } from "./reduce-pass.ts";
import { type Width, wgslType } from "./wgsl.ts";

type StagesKernel = Kernel & { readonly core: StagesCore };
type Family = "thread" | "subgroup" | "workgroup" | "block";

/** Columns a block works on side by side; its other threads share their rows. */
const BLOCK_COLUMNS = 32;

export const generateStages: KernelGenerator = (given, overwrites, traits) => {
  const kernel = simplest(given);
  if (elementCount(kernel.domain) === 0) return { dispatches: [], scratch: [], family: "thread" };
  const family = familyOf(kernel, traits);
  return { dispatches: [stagesDispatch(kernel, family, overwrites, traits)], scratch: [], family };
};

/** The kernel over the fewest dimensions. */
function simplest(kernel: Kernel): StagesKernel {
  const { core, domain, body, outputs } = kernel;
  if (core?.op !== "stages") throw new Error(`${kernel.label} is no chain of reductions`);
  const still = core.reduced.map(() => 0);
  const extend = ({ offset, strides }: View): View => ({ offset, strides: [...strides, ...still] });
  const rows = [{ offset: 0, strides: contiguousStrides(domain) }, ...viewsOf(body)].map(extend);
  const inner = core.stages.flatMap((stage) => viewsOf(stage.body));
  const wide = outputs.flatMap((output) => (output.wide ? [output.wide.view] : []));
  const { sizes, view } = coalesce([domain, core.reduced], [...rows, ...inner, ...wide]);
  const own = (given: View): View => {
    const { offset, strides } = view(extend(given));
    return { offset, strides: strides.slice(0, sizes[0].length) };
  };
  return {
    ...kernel,
    domain: sizes[0],
    body: mapViews(body, own),
    core: {
      ...core,
      reduced: sizes[1],
      stages: core.stages.map((stage) => ({ ...stage, body: mapViews(stage.body, view) })),
    },
    outputs: outputs.map((output) =>
      output.wide ? { ...output, wide: { ...output.wide, view: view(output.wide.view) } } : output,
    ),
  };
}

function familyOf(kernel: StagesKernel, { software, subgroupSize, family }: DeviceTraits): Family {
  const reduced = elementCount(kernel.core.reduced);
  const columns = isColumns(kernel);
  if (columns && !software && reduced >= SHORT_ROW) return "block";
  if (columns || reduced < SHORT_ROW || family === "direct") return "thread";
  if (software) return subgroupSize > 1 ? "subgroup" : "thread";
  return reduced >= LONG_ROW || subgroupSize <= 1 ? "workgroup" : "subgroup";
}

function isColumns({ domain, core, outputs }: StagesKernel): boolean {
  const views = outputs.flatMap(({ wide }) => (wide ? [wide.view] : []));
  return walksColumns(domain, core.reduced, [...core.stages.flatMap(({ body }) => viewsOf(body)), ...views]);
}

function stagesDispatch(
  kernel: StagesKernel,
  family: Family,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
): Dispatch {
  const { core, domain, outputs } = kernel;
  const { subgroupSize } = traits;
  const shader = new ShaderBuilder(kernel, overwrites, traits);

  // -- widths: `outer` of what an item is, `inner` of what one turn of a loop reads
  const sizes = [...domain, ...core.reduced];
  const columns = isColumns(kernel);
  const axis = (columns ? domain.length : sizes.length) - 1;
  const storable = outputs.every(({ wide }) => !wide || isContiguous(wide.view, sizes, axis));
  const inner: Width = axis >= 0 && sizes[axis] % 4 === 0 && storable && family !== "block" ? 4 : 1;
  const outer: Width = columns ? inner : 1;
  const spaces = core.stages.map(
    ({ body }): BodySpace => ({ expressions: body, sizes, width: inner, vectorAxis: axis, stillResults: true }),
  );
  planLoads(shader, [...spaces, epilogueSpace(kernel, outer)]);

  // -- who works on which item
  const items = elementCount(domain) / outer;
  const { workgroupSize, workgroups, team, side } = gridFor(family, items, traits);
  const subgroupLane =
    family === "subgroup" || (family === "workgroup" && subgroupSize > 1) ? shader.useSubgroups() : "";
  const member = { thread: "0u", subgroup: subgroupLane, workgroup: "lane", block: `lane / ${BLOCK_COLUMNS}u` }[family];
  const count = shader.param("items", "u32", items);
  const step = shader.param("itemStep", "u32", side * workgroups[0] * workgroups[1]);
  const group = shader.linearGroup(workgroups);
  const own = { thread: "lane", subgroup: `lane / ${team}u`, workgroup: "0u", block: `lane % ${BLOCK_COLUMNS}u` }[
    family
  ];
  // all members of a team take as many turns, since they meet at barriers
  shader.block(`for (var first = ${group} * ${side}u; first < ${count}; first += ${step})`, () => {
    const item = shader.let("item", `first + ${own}`);
    if (family === "thread" || family === "subgroup") shader.line(`if (${item} >= ${count}) { continue; }`);
    const guarded = family === "block";
    const index = guarded ? shader.let("column", `min(${item}, ${count} - 1u)`) : item;
    const place = linearPlace(shader, domain, outer === 4 ? shader.let("output", `${index} << 2u`) : index, "domain");
    const when = (condition: string, write: () => void) => {
      if (condition === "") write();
      else shader.block(`if (${condition})`, write);
    };
    const mine = guarded ? `${item} < ${count}` : "";

    const results: { readonly text: string; readonly reduction: Reduction }[] = [];
    core.stages.forEach(({ body, reductions }, stage) => {
      const mark = shader.mark();
      const terms = reductions.map(({ op, expression }) => ({ op, expression, dtype: body[expression].dtype }));
      const stride = (inner === 4 && !columns ? 4 : 1) * team;
      const start = member === "0u" ? "0u" : inner === 4 && !columns ? `${member} * 4u` : member;
      const splat = (text: string) =>
        inner === outer ? text : shader.hoist(mark, `splat ${text}`, "row", () => `vec4(${text})`);
      const known = results.map(({ text }) => splat(text));
      const sums = emitReduceLoop(shader, {
        key: `stage${stage}e`,
        terms,
        space: spaces[stage],
        reduced: core.reduced,
        place,
        mark,
        start,
        end: shader.param("reducedCount", "u32", elementCount(core.reduced)),
        stride,
        turns: Math.ceil(elementCount(core.reduced) / stride),
        results: known,
        visit(values, at) {
          outputs.forEach(({ expression, wide }, o) => {
            if (wide?.stage !== stage) return;
            const binding = shader.output(o, inner);
            const site = { place: at, outer: { place, mark } };
            const element = elementText(shader, `wide${o}`, wide.view, site, binding.origin, false);
            when(mine, () => shader.line(binding.store(element, values[expression])));
          });
        },
      });
      terms.forEach((reduction, r) => {
        const sum = inner === 4 && outer === 1 ? foldLanes(shader, reduction, sums[r]) : sums[r];
        const key = `${results.length}`;
        const fold = {
          thread: () => sum,
          subgroup: () => foldSubgroup(shader, reduction, sum, subgroupSize),
          workgroup: () => foldWorkgroup(shader, reduction, sum, { workgroupSize, subgroupSize, key }),
          block: () => foldBlock(shader, reduction, sum, { workgroupSize, columns: BLOCK_COLUMNS, key }),
        }[family]();
        const text = reduction.dtype === "bool" ? shader.let("any", `${fold} != ${wgslType("u32", outer)}(0u)`) : fold;
        results.push({ text, reduction });
      });
    });

    if (outputs.every(({ wide }) => wide)) return;
    // an output may overwrite what others of the team still read
    if (family === "workgroup" || family === "block") shader.line("workgroupBarrier();");
    const store = () =>
      shader.block("", () =>
        emitStores(shader, kernel, { place, width: outer, results: results.map(({ text }) => text) }),
      );
    when([mine, family === "thread" ? "" : `${member} == 0u`].filter((text) => text !== "").join(" && "), store);
  });
  return shader.build(workgroupSize, workgroups);
}

/** Threads of a team, items a workgroup has side by side, and the grid. */
function gridFor(family: Family, items: number, traits: DeviceTraits) {
  if (family === "thread") {
    const grid = loopGrid(items, traits);
    return { ...grid, team: 1, side: grid.workgroupSize };
  }
  const workgroup = traits.software ? traits.subgroupSize : HARDWARE_WORKGROUP;
  const team = { subgroup: traits.subgroupSize, workgroup, block: workgroup / BLOCK_COLUMNS }[family];
  const side = workgroup / team;
  const wanted = Math.ceil(items / side);
  const workgroups = gridOf(traits.software ? Math.min(SOFTWARE_SUBGROUP_WORKGROUPS, wanted) : wanted, traits);
  return { workgroupSize: workgroup, workgroups, team, side };
}
