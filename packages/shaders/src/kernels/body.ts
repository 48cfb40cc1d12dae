/**
 * Prints the expressions of a fused kernel at one place of their index space, one `let` each, and stores the
 * outputs. `emitStores` is the epilogue of every core: it takes the core's results at an output index.
 *
 * At width 4 a value is a vec4 of four neighbours along the innermost dimension. A load is then one of
 * - contiguous: one vec4 load, where its stride there is 1 and everything else is a multiple of four;
 * - splat: one scalar load, where its stride there is 0;
 * - gathered: four scalar loads.
 * An input is bound as an array of vec4 if all its loads are contiguous; `planLoads` must say so before the
 * first load.
 */
import { contiguousStrides, type Expression, type Kernel, operandsOf, type View } from "@guidance/tensor";
import { elementText, isContiguous, type Site, standsStill } from "./address.ts";
import type { ShaderBuilder } from "./builder.ts";
import { elementwiseText } from "./elementwise.ts";
import { type Place, reshapePlace } from "./place.ts";
import { valueType, type Width } from "./wgsl.ts";

/** Expressions over an index space. */
export interface BodySpace {
  readonly expressions: readonly Expression[];
  readonly sizes: readonly number[];
  readonly width: Width;
  /** Dimension along which the four lanes of width 4 lie; by default the last. */
  readonly vectorAxis?: number;
  /** Whether the core's results stay the same during the loop over the inner dimensions. */
  readonly stillResults?: boolean;
}

/** Chooses how each kernel input is bound: as vec4 where all its loads in all spaces allow it. */
export function planLoads(shader: ShaderBuilder, spaces: readonly BodySpace[]): void {
  const vectors = new Map<number, boolean>();
  for (const { expressions, sizes, width, vectorAxis } of spaces) {
    for (const expression of expressions) {
      if (expression.kind !== "load") continue;
      const fits = width === 4 && isContiguous(expression.view, sizes, vectorAxis);
      vectors.set(expression.input, fits && (vectors.get(expression.input) ?? true));
    }
  }
  for (const [input, vector] of vectors) shader.inputWidths.set(input, vector ? 4 : 1);
}

/** How far out an expression can be computed: once, once per outer index, or at every index. */
const Level = { Once: 0, Outer: 1, Inner: 2 } as const;

/** The level of each expression; `split` outer dimensions lie before the loop. */
function levelsOf({ expressions, sizes, stillResults }: BodySpace, split: number): number[] {
  const levels: number[] = [];
  for (const expression of expressions) {
    if (expression.kind === "apply") levels.push(Math.max(...expression.arguments.map((argument) => levels[argument])));
    else if ("view" in expression) {
      const { view } = expression;
      levels.push(standsStill(view, sizes) ? Level.Once : standsStill(view, sizes, split) ? Level.Outer : Level.Inner);
    } else if (expression.kind === "core") levels.push(stillResults ? Level.Outer : Level.Inner);
    else levels.push(Level.Once);
  }
  return levels;
}

/**
 * Prints the expressions at `site` and returns the name of each value. What does not depend on the innermost loop
 * is computed before it.
 *
 * @param key stem of the parameter names, unique per space within the shader
 */
export function emitExpressions(
  shader: ShaderBuilder,
  key: string,
  space: BodySpace,
  site: Site,
  results: readonly string[] = [],
): string[] {
  const { outer } = site;
  const levels = levelsOf(space, outer?.place.sizes.length ?? 0);
  const names: string[] = [];
  space.expressions.forEach((expression, i) => {
    if (expression.kind === "core") {
      names.push(results[expression.result]);
      return;
    }
    const stem = `${key}${i}`;
    const prefix = prefixes[expression.kind];
    const text = () => expressionText(shader, stem, expression, space, site, names);
    if (levels[i] === Level.Once) names.push(shader.once(`${stem} ${space.width}`, prefix, text));
    else if (levels[i] === Level.Outer && outer) names.push(shader.hoist(outer.mark, stem, prefix, text));
    else names.push(shader.let(prefix, text()));
  });
  return names;
}

/** What the locals of each kind of expression begin with. */
const prefixes = { load: "x", scalar: "s", constant: "c", index: "i", apply: "y" } as const;

function expressionText(
  shader: ShaderBuilder,
  stem: string,
  expression: Exclude<Expression, { kind: "core" }>,
  space: BodySpace,
  site: Site,
  names: readonly string[],
): string {
  const { width, expressions } = space;
  const splat = (text: string) => (width === 1 ? text : `${valueType(expression.dtype, width)}(${text})`);
  switch (expression.kind) {
    case "load":
      return loadText(shader, stem, expression, space, site);
    case "scalar":
      return splat(shader.scalar(expression.slot, expression.dtype));
    case "constant":
      return splat(constantText(shader, stem, expression));
    case "index":
      return indexText(shader, stem, expression, space, site);
    case "apply": {
      const values = expression.arguments.map((argument) => names[argument]);
      const from = expression.arguments.map((argument) => expressions[argument].dtype);
      return elementwiseText(shader, expression.op, values, from, expression.dtype, width);
    }
  }
}

/** Where and what `emitStores` stores. */
export interface StoreSite {
  /**
   * A place in the kernel's output space, in any factorization of it (see place.ts). With `outer`, the place of the
   * loop's dimensions; outer and inner together are the kernel's domain.
   */
  readonly place: Place;
  readonly outer?: Site["outer"];
  /** Dimension along which the four lanes of width 4 lie; by default the last. */
  readonly vectorAxis?: number;
  /** 4 stores four neighbours of the innermost dimension; ask `storeWidth` first. */
  readonly width?: Width;
  /** Values of the core's results here, at that width. */
  readonly results?: readonly string[];
  /** Where in the outputs the elements of the domain lie, if not one after the other. */
  readonly output?: View;
}

/** 4 if the epilogue can work on four neighbours along an innermost dimension of `size`. */
export function storeWidth(kernel: Kernel, size: number): Width {
  const inner = kernel.domain.at(-1);
  return inner !== undefined && inner % 4 === 0 && size % 4 === 0 ? 4 : 1;
}

/** Whether the epilogue reads an operand of the core, which then has to be bound as single elements. */
export function readsOperands(kernel: Kernel): boolean {
  const operands = operandsOf(kernel).length;
  return kernel.body.some((expression) => expression.kind === "load" && expression.input < operands);
}

/** The space of the kernel's epilogue, for `planLoads`. */
export function epilogueSpace(kernel: Kernel, width: Width): BodySpace {
  return { expressions: kernel.body, sizes: kernel.domain, width };
}

/**
 * The epilogue: evaluates the kernel's body at one output place and stores every output. Call it within a block
 * of its own; it may be called several times in one shader.
 */
export function emitStores(shader: ShaderBuilder, kernel: Kernel, store: StoreSite): void {
  const { outer, width = 1, vectorAxis, results = [] } = store;
  const { output = { offset: 0, strides: contiguousStrides(kernel.domain) } } = store;
  const site: Site = outer
    ? { place: store.place, outer }
    : { place: reshapePlace(shader, store.place, kernel.domain) };
  const space = { ...epilogueSpace(kernel, width), ...(vectorAxis === undefined ? {} : { vectorAxis }) };
  const values = emitExpressions(shader, "body", space, site, results);
  kernel.outputs.forEach(({ expression, wide }, index) => {
    if (wide) return;
    const binding = shader.output(index, width);
    const windowed = shader.isWindowed({ kind: "output", index });
    const element = elementText(shader, `output${index}`, output, site, binding.origin, windowed);
    shader.line(binding.store(element, values[expression]));
  });
}

function loadText(
  shader: ShaderBuilder,
  stem: string,
  { input, view, dtype }: Expression & { kind: "load" },
  { sizes, width, vectorAxis = sizes.length - 1 }: BodySpace,
  site: Site,
): string {
  const bound = shader.input(input);
  // a buffer of plain words may hold values of several dtypes: the scratch of a reduction
  const binding = bound.dtype === "u32" && (dtype === "f32" || dtype === "i32") ? bound.as(dtype) : bound;
  const windowed = shader.isWindowed({ kind: "input", index: input });
  const element = elementText(shader, stem, view, site, binding.origin, windowed);
  if (width === 1) return binding.load(element, 1);
  const stride = vectorAxis < 0 || sizes[vectorAxis] === 1 ? 0 : view.strides[vectorAxis];
  if (stride === 0) return `${valueType(dtype, 4)}(${binding.load(element, 1)})`;
  if (isContiguous(view, sizes, vectorAxis) && (binding.width === 4 || dtype === "u8")) return binding.load(element, 4);
  return binding.gather(element, stride === 1 ? "1u" : shader.param(`${stem}Stride${vectorAxis}`, "u32", stride));
}

function constantText(
  shader: ShaderBuilder,
  stem: string,
  { value, dtype }: Expression & { kind: "constant" },
): string {
  const name = `${stem}Constant`;
  if (dtype === "f32") return shader.param(name, "f32", value);
  if (dtype === "i32") return shader.param(name, "i32", value);
  const bits = shader.param(name, "u32", Number(value));
  return dtype === "bool" ? `(${bits} != 0u)` : bits;
}

function indexText(
  shader: ShaderBuilder,
  stem: string,
  { view, dtype }: Expression & { kind: "index" },
  { sizes, width, vectorAxis = sizes.length - 1 }: BodySpace,
  site: Site,
): string {
  const convert = (text: string) =>
    dtype === "u32" || dtype === "u8"
      ? text
      : dtype === "i32"
        ? `bitcast<${valueType("i32", width)}>(${text})`
        : `${valueType(dtype, width)}(bitcast<${valueType("i32", width)}>(${text}))`;
  const first = elementText(shader, stem, view, site, 0, false);
  if (width === 1) return convert(`(${first})`);
  const stride = vectorAxis < 0 || sizes[vectorAxis] === 1 ? 0 : view.strides[vectorAxis];
  if (stride === 0) return convert(`vec4<u32>(${first})`);
  const step = stride === 1 ? "1u" : shader.param(`${stem}Stride${vectorAxis}`, "u32", stride);
  return convert(`(vec4<u32>(${first}) + vec4<u32>(0u, 1u, 2u, 3u) * ${step})`);
}
