/**
 * Kernels without a core: one value per index. A grid of threads walks the output in strides; each thread
 * evaluates the body at one element, or at four neighbours as a vec4. Large tensors are cut into boxes by
 * binding windows, each box a dispatch of its own (see ../windows.ts).
 */
import { contiguousStrides, type Expression, elementCount, type Kernel, mapViews, type View } from "@guidance/tensor";
import { type Box, fitsWhole, splitSpace, unionRange, viewRange, type WindowedOperand } from "../windows.ts";
import { isContiguous } from "./address.ts";
import { emitStores, epilogueSpace, planLoads } from "./body.ts";
import { ShaderBuilder } from "./builder.ts";
import type { DeviceTraits, Dispatch, KernelGenerator } from "./dispatch.ts";
import { divide } from "./division.ts";
import { type Grid, loopGrid, periodicGrid } from "./grid.ts";
import { normalizeKernel } from "./normalize.ts";
import { linearPlace } from "./place.ts";
import type { Width } from "./wgsl.ts";

type Overwrites = readonly (number | undefined)[];

export const generateMap: KernelGenerator = (given, overwrites, traits) => {
  const { kernel, inputs } = separateLargeViews(normalizeKernel(given).kernel, traits);
  const operands = windowedOperands(kernel, traits);
  const inner = kernel.domain.at(-1) ?? 1;
  const granularity = kernel.domain.map((_, axis) => (axis === kernel.domain.length - 1 && inner % 4 === 0 ? 4 : 1));
  const boxes = splitSpace(kernel.domain, operands, traits, { granularity, label: kernel.label });
  const dispatches = boxes.map((box) => {
    const windows = operands.map((operand) => ({ ...operand, ...operand.range(box) }));
    const dispatch = boxDispatch(kernel, overwrites, traits, box, windows);
    return {
      ...dispatch,
      bindings: dispatch.bindings.map((binding) => ({ ...binding, buffer: originalInput(binding.buffer, inputs) })),
    };
  });
  return { dispatches, scratch: [], family: "map" };
};

/** An operand of the kernel that does not fit one binding. */
interface MapOperand extends WindowedOperand {
  readonly reference: { readonly kind: "input" | "output"; readonly index: number };
}

function boxDispatch(
  whole: Kernel,
  overwrites: Overwrites,
  traits: DeviceTraits,
  box: Box,
  windows: readonly (MapOperand & { start: number; end: number })[],
): Dispatch {
  const { kernel, output } = restrictKernel(whole, box);
  const width = isContiguous(output, kernel.domain) ? 4 : 1;
  const items = elementCount(kernel.domain) / width;
  const [rows = 1] = kernel.domain;
  const grid = kernel.domain.length > 1 ? periodicGrid(items, items / rows, traits) : undefined;
  const bind = (shader: ShaderBuilder) => {
    for (const { reference, start, end } of windows) shader.window(reference, start, end);
  };
  if (grid) return rowsDispatch(kernel, output, { width, ...grid, bind }, overwrites, traits);

  const shader = new ShaderBuilder(kernel, overwrites, traits);
  bind(shader);
  planLoads(shader, [epilogueSpace(kernel, width)]);
  const { workgroupSize, workgroups } = loopGrid(items, traits);
  const count = shader.param("count", "u32", items);
  const step = shader.param("step", "u32", workgroupSize * workgroups[0]);
  shader.block(`for (var item = group.x * ${workgroupSize}u + lane; item < ${count}; item += ${step})`, () => {
    const index = width === 4 ? shader.let("index", "item << 2u") : "item";
    emitStores(shader, kernel, { place: linearPlace(shader, kernel.domain, index), width, output });
  });
  return shader.build(workgroupSize, workgroups);
}

interface RowsOptions {
  readonly width: Width;
  readonly workgroupSize: number;
  readonly workgroups: Grid;
  bind(shader: ShaderBuilder): void;
}

/**
 * The form without divisions: the number of threads is a multiple of the size of a row (all dimensions but the first),
 * so each thread keeps its place in the row and walks down the rows. What depends on the place alone (a bias, a
 * column's mean) is loaded once.
 */
function rowsDispatch(
  { domain, body, ...rest }: Kernel,
  output: View,
  { width, workgroupSize, workgroups, bind }: RowsOptions,
  overwrites: Overwrites,
  traits: DeviceTraits,
): Dispatch {
  // the dimension of the loop comes last
  const turned = ({ offset, strides }: View): View => ({ offset, strides: [...strides.slice(1), strides[0]] });
  const [rows, ...row] = domain;
  const kernel: Kernel = { ...rest, domain: [...row, rows], body: mapViews(body, turned) };
  const vectorAxis = row.length - 1;
  const shader = new ShaderBuilder(kernel, overwrites, traits);
  bind(shader);
  planLoads(shader, [{ ...epilogueSpace(kernel, width), vectorAxis }]);
  const period = elementCount(row) / width;
  const threads = workgroupSize * workgroups[0];
  const thread = shader.let("thread", `group.x * ${workgroupSize}u + lane`);
  const { quotient, remainder } = divide(shader, thread, "period", period, threads);
  const place = linearPlace(shader, row, shader.let("place", width === 4 ? `${remainder} << 2u` : remainder));
  const mark = shader.mark();
  const count = shader.param("rows", "u32", rows);
  const step = shader.param("rowStep", "u32", threads / period);
  shader.block(`for (var row = ${quotient}; row < ${count}; row += ${step})`, () => {
    const outer = { place, mark };
    emitStores(shader, kernel, {
      place: linearPlace(shader, [rows], "row", "rows"),
      outer,
      width,
      vectorAxis,
      output: turned(output),
    });
  });
  return shader.build(workgroupSize, workgroups);
}

/** A view over a box that begins at `start`, as a view over the box alone. */
export function restrictView({ offset, strides }: View, start: readonly number[]): View {
  return { offset: strides.reduce((sum, stride, axis) => sum + start[axis] * stride, offset), strides };
}

/** The kernel over one box of its domain, simplified again, and where in the whole output the box's elements lie. */
function restrictKernel(whole: Kernel, { start, size }: Box): { kernel: Kernel; output: View } {
  const output = restrictView({ offset: 0, strides: contiguousStrides(whole.domain) }, start);
  const body = mapViews(whole.body, (view) => restrictView(view, start));
  return normalizeKernel({ ...whole, domain: size, body }, output);
}

/** Inputs and outputs larger than a binding, with the range each box touches. */
function windowedOperands(kernel: Kernel, traits: DeviceTraits): MapOperand[] {
  const operands: MapOperand[] = [];
  kernel.inputs.forEach(({ shape, dtype }, index) => {
    const views = viewsOfInput(kernel.body, index);
    if (views.length === 0 || fitsWhole(elementCount(shape), dtype, traits)) return;
    const range = (box: Box) => unionRange(views.map((view) => viewRange(view, box)));
    operands.push({ reference: { kind: "input", index }, label: `input [${shape.join(", ")}]`, dtype, range });
  });
  const output = { offset: 0, strides: contiguousStrides(kernel.domain) };
  kernel.outputs.forEach(({ type: { shape, dtype } }, index) => {
    if (fitsWhole(elementCount(shape), dtype, traits)) return;
    const range = (box: Box) => viewRange(output, box);
    operands.push({ reference: { kind: "output", index }, label: `output [${shape.join(", ")}]`, dtype, range });
  });
  return operands;
}

function viewsOfInput(body: readonly Expression[], input: number): View[] {
  return body.flatMap((expression) =>
    expression.kind === "load" && expression.input === input ? [expression.view] : [],
  );
}

const sameView = (a: View, b: View) =>
  a.offset === b.offset && a.strides.every((stride, axis) => stride === b.strides[axis]);

/**
 * Gives every view of an input too large for one binding a window of its own: a matrix and its transpose touch
 * ranges far apart. The extra inputs stand behind the kernel's own; `inputs` says which buffer each really is.
 */
function separateLargeViews(kernel: Kernel, traits: DeviceTraits): { kernel: Kernel; inputs: readonly number[] } {
  const types = [...kernel.inputs];
  const inputs = types.map((_, index) => index);
  const seen: { input: number; view: View; as: number }[] = [];
  const body = kernel.body.map((expression) => {
    if (expression.kind !== "load") return expression;
    const { input, view } = expression;
    if (fitsWhole(elementCount(types[input].shape), types[input].dtype, traits)) return expression;
    let own = seen.find((other) => other.input === input && sameView(other.view, view));
    if (!own) {
      const first = !seen.some((other) => other.input === input);
      own = { input, view, as: first ? input : types.push(types[input]) - 1 };
      if (!first) inputs.push(input);
      seen.push(own);
    }
    return { ...expression, input: own.as };
  });
  return { kernel: { ...kernel, inputs: types, body }, inputs };
}

function originalInput(buffer: Dispatch["bindings"][number]["buffer"], inputs: readonly number[]) {
  return buffer.kind === "input" ? { kind: "input" as const, index: inputs[buffer.index] } : buffer;
}
