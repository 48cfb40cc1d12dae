/**
 * One dispatch of a reduction. An item is one output, or four neighbouring ones, together with one of the splits of
 * the reduced space; a family says who works on an item:
 * - `thread`: one thread, walking the reduced space alone. For columns (outputs side by side in memory) and short rows.
 * - `subgroup`: the lanes of a subgroup side by side, combined by shuffles. For rows.
 * - `workgroup`: a whole workgroup, combined through workgroup memory. For long rows on GPUs.
 * The result goes through the kernel's epilogue to its outputs, or, if it is only a part, to scratch.
 */
import { elementCount, type Kernel, type ReduceCore, type View } from "@guidance/tensor";
import type { ElementRange } from "../windows.ts";
import { isContiguous } from "./address.ts";
import { type BodySpace, emitStores, epilogueSpace, planLoads } from "./body.ts";
import { type Mark, ShaderBuilder } from "./builder.ts";
import type { BufferReference, DeviceTraits, Dispatch } from "./dispatch.ts";
import { divide } from "./division.ts";
import { gridOf, loopGrid } from "./grid.ts";
import { linearPlace, type Place } from "./place.ts";
import {
  accumulatorType,
  combineText,
  foldLanes,
  foldSubgroup,
  foldWorkgroup,
  type Reduction,
} from "./reduce-combine.ts";
import { emitReduceLoop } from "./reduce-loop.ts";
import { type Width, wgslType } from "./wgsl.ts";

export type ReduceFamily = "thread" | "subgroup" | "workgroup";

/** A kernel whose core is a reduction. */
export type ReduceKernel = Kernel & { readonly core: ReduceCore };

export interface ReducePass {
  /** Normalized, and restricted to the box this pass covers. */
  readonly kernel: ReduceKernel;
  readonly family: ReduceFamily;
  /** The reduced space is cut into this many runs of `chunk` elements, each an item of its own. */
  readonly splits: number;
  readonly chunk: number;
  /** Where results go: through the epilogue, or bare into scratch buffer 0, combined with what is there if `accumulate`. */
  readonly target:
    | { readonly kind: "outputs"; readonly output: View }
    | { readonly kind: "scratch"; readonly accumulate: boolean; readonly count: number };
  readonly windows: readonly ({ readonly reference: BufferReference } & ElementRange)[];
}

/** Lanes of workgroups that hold several subgroups, and of the `workgroup` family. */
export const HARDWARE_WORKGROUP = 256;
/** Workgroups of one subgroup that each loop over rows, on CPU adapters. */
export const SOFTWARE_SUBGROUP_WORKGROUPS = 64;
/** Rows shorter than this are read by one thread each: lanes side by side would mostly idle. */
export const SHORT_ROW = 16;
/** Rows at least this long get a whole workgroup, on GPUs. */
export const LONG_ROW = 1024;
/** Enough to fill any GPU. */
const HARDWARE_WORKGROUPS = 16384;

/** The reductions of a kernel with their dtypes. */
export function reductionsOf({ core }: ReduceKernel): Reduction[] {
  return core.reductions.map(({ op, expression }) => ({ op, dtype: core.body[expression].dtype }));
}

/** Which dimension of [...domain, ...reduced] four lanes lie along, or -1; `columns` if it is one of the domain. */
export function vectorAxisOf({ domain, core }: ReduceKernel, columns: boolean): number {
  const axis = (columns ? domain : [...domain, ...core.reduced]).length - 1;
  const size = columns ? domain.at(-1) : core.reduced.at(-1);
  return size !== undefined && size % 4 === 0 ? axis : -1;
}

/** Whether outputs side by side read elements side by side. */
export function readsColumns({ domain, core }: ReduceKernel): boolean {
  return walksColumns(
    domain,
    core.reduced,
    core.body.flatMap((expression) => (expression.kind === "load" ? [expression.view] : [])),
  );
}

/** Whether more of the views walk memory along the last dimension of the domain than along the last reduced one. */
export function walksColumns(domain: readonly number[], reduced: readonly number[], views: readonly View[]): boolean {
  if (domain.length === 0) return false;
  const along = (axis: number) => views.filter(({ strides }) => strides[axis] === 1).length;
  return along(domain.length - 1) > (reduced.length > 0 ? along(domain.length + reduced.length - 1) : 0);
}

export function reduceDispatch(
  pass: ReducePass,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
): Dispatch {
  const { kernel, family, splits, chunk, target, windows } = pass;
  const { core, domain } = kernel;
  const shader = new ShaderBuilder(kernel, overwrites, traits);
  for (const { reference, start, end } of windows) shader.window(reference, start, end);

  // -- widths: `outer` of what an item is, `inner` of what one turn of the loop reads
  const columns = family === "thread" && readsColumns(kernel);
  const reductions = reductionsOf(kernel);
  const axis = vectorAxisOf(kernel, columns);
  const storable = target.kind === "scratch" || isContiguous(target.output, domain);
  const outer: Width = columns && axis >= 0 && storable ? 4 : 1;
  const inner: Width = columns ? outer : axis >= 0 && chunk % 4 === 0 ? 4 : 1;
  const space: BodySpace = {
    expressions: core.body,
    sizes: [...domain, ...core.reduced],
    width: inner,
    vectorAxis: axis,
  };
  planLoads(shader, target.kind === "outputs" ? [space, epilogueSpace(kernel, outer)] : [space]);

  // -- who works on which item
  const outputs = elementCount(domain);
  const items = (outputs / outer) * splits;
  const { subgroupSize } = traits;
  const team = family === "thread" ? 1 : family === "subgroup" ? subgroupSize : HARDWARE_WORKGROUP;
  const grid = family === "thread" ? loopGrid(items, traits) : teamGrid(items, team, traits);
  const { workgroupSize, workgroups } = grid;
  const teams = workgroupSize / team;
  const member = family === "thread" ? "0u" : family === "subgroup" ? shader.useSubgroups() : "lane";
  if (family === "workgroup" && subgroupSize > 1) shader.useSubgroups();
  const group = shader.linearGroup(workgroups);
  const first = teams === 1 ? group : `${group} * ${teams}u + ${team === 1 ? "lane" : `lane / ${team}u`}`;
  const count = shader.param("items", "u32", items);
  const step = shader.param("itemStep", "u32", teams * workgroups[0] * workgroups[1]);

  shader.block(`for (var item = ${first}; item < ${count}; item += ${step})`, () => {
    const { output, split } = locateItem(shader, items, outputs, outer, splits);
    const mark = shader.mark();
    const place = linearPlace(shader, domain, output, "domain");
    const sums = emitSplit(shader, { pass, reductions, space, place, mark, split, member, team });
    const folded = sums.map((sum, r) => {
      const lanes = inner === 4 && outer === 1 ? foldLanes(shader, reductions[r], sum) : sum;
      if (family === "thread") return lanes;
      if (family === "subgroup") return foldSubgroup(shader, reductions[r], lanes, subgroupSize);
      return foldWorkgroup(shader, reductions[r], lanes, { workgroupSize, subgroupSize, key: `${r}` });
    });
    const store = () => emitResults(shader, { pass, reductions, place, output, split, outputs, outer }, folded);
    if (family === "thread") store();
    else shader.block(`if (${member} == 0u)`, store);
  });
  return shader.build(workgroupSize, workgroups);
}

/** Workgroups of teams that each loop over items. */
function teamGrid(items: number, team: number, traits: DeviceTraits) {
  const teams = traits.software ? 1 : Math.max(1, Math.min(HARDWARE_WORKGROUP / team, items));
  const cap = traits.software ? SOFTWARE_SUBGROUP_WORKGROUPS : HARDWARE_WORKGROUPS;
  return { workgroupSize: teams * team, workgroups: gridOf(Math.min(cap, Math.ceil(items / teams)), traits) };
}

/** Names of the item's first output element and of its split. */
function locateItem(shader: ShaderBuilder, items: number, outputs: number, outer: Width, splits: number) {
  const scale = (text: string) => (outer === 4 ? shader.let("output", `${text} << 2u`) : text);
  if (splits === 1) return { output: scale("item"), split: "0u" };
  const { quotient, remainder } = divide(shader, "item", "outputItems", outputs / outer, items);
  return { output: scale(shader.let("outputItem", remainder)), split: shader.let("split", quotient) };
}

interface LoopOptions {
  readonly pass: ReducePass;
  readonly reductions: readonly Reduction[];
  readonly space: BodySpace;
  readonly place: Place;
  readonly mark: Mark;
  readonly split: string;
  readonly member: string;
  readonly team: number;
}

/** Prints the loop over one split of the reduced space and returns the accumulators of one member of the team. */
function emitSplit(shader: ShaderBuilder, options: LoopOptions): string[] {
  const { pass, reductions, space, place, mark, split, member, team } = options;
  const { kernel, splits, chunk } = pass;
  const { core } = kernel;
  // along columns, a turn still reads one reduced index
  const stride = (space.width === 4 && (space.vectorAxis ?? 0) >= kernel.domain.length ? 4 : 1) * team;
  const total = shader.param("reducedCount", "u32", elementCount(core.reduced));
  const offset = member === "0u" ? "" : stride === team ? member : `${member} * 4u`;
  let start = offset === "" ? "0u" : offset;
  let end = total;
  if (splits > 1) {
    const length = shader.param("chunk", "u32", chunk);
    const from = shader.let("from", `${split} * ${length}`);
    start = offset === "" ? from : `${from} + ${offset}`;
    end = shader.let("to", `min(${total}, ${from} + ${length})`);
  }
  const turns = Math.ceil(Math.min(chunk, elementCount(core.reduced)) / stride);
  const terms = core.reductions.map(({ expression }, i) => ({ ...reductions[i], expression }));
  const loop = { key: "inner", terms, space, reduced: core.reduced, place, mark, start, end, stride, turns };
  return emitReduceLoop(shader, loop);
}

interface ResultOptions {
  readonly pass: ReducePass;
  readonly reductions: readonly Reduction[];
  readonly place: Place;
  readonly output: string;
  readonly split: string;
  readonly outputs: number;
  readonly outer: Width;
}

function emitResults(shader: ShaderBuilder, options: ResultOptions, folded: readonly string[]): void {
  const { pass, reductions, place, output, split, outputs, outer } = options;
  const { kernel, target } = pass;
  if (target.kind === "outputs") {
    const results = folded.map((value, i) =>
      reductions[i].dtype === "bool" ? `(${value} != ${wgslType("u32", outer)}(0u))` : value,
    );
    emitStores(shader, kernel, { place, width: outer, results, output: target.output });
    return;
  }
  const scratch = shader.scratch(0, "u32", target.count, "read_write", outer);
  const size = shader.param("outputs", "u32", outputs);
  folded.forEach((value, i) => {
    const slot = reductions.length === 1 ? split : `(${split} * ${reductions.length}u + ${i}u)`;
    const at = shader.let("slot", `${slot} * ${size} + ${output}`);
    const partial = scratch.as(accumulatorType(reductions[i]));
    const combined = target.accumulate
      ? shader.let("combined", combineText(shader, reductions[i], shader.let("before", partial.load(at)), value, outer))
      : value;
    shader.line(partial.store(at, combined));
  });
}
