/**
 * Binding windows of convolutions: the kernel is rewritten over the result's own dimensions, so that the range of
 * every buffer its epilogue touches follows from a box of results.
 */
import { contiguousStrides, elementCount, type Kernel, mapViews, type View, viewsOf } from "@guidance/tensor";
import { type Box, type ElementRange, fitsWhole, unionRange, viewRange, type WindowedOperand } from "../windows.ts";
import type { ShaderBuilder } from "./builder.ts";
import type { BufferReference, DeviceTraits } from "./dispatch.ts";
import { groupDimensions } from "./place.ts";

/** A buffer of the kernel that no binding can hold whole. */
export interface KernelOperand extends WindowedOperand {
  readonly reference: BufferReference;
  /** What to bind, where `range` is only a bound that shrinks with every cut. */
  window?(range: ElementRange): ElementRange;
}

/**
 * The kernel over a domain of `sizes`, where each of its own dimensions is a product of neighbours of them; otherwise
 * the kernel as it is.
 */
export function expandDomain(kernel: Kernel, sizes: readonly number[]): Kernel {
  const groups = groupDimensions(sizes, kernel.domain);
  if (!groups) return kernel;
  const expand = ({ offset, strides }: View): View => {
    const expanded = sizes.map(() => 0);
    groups.forEach(([from, to], axis) => {
      for (let d = to - 1, stride = strides[axis]; d >= from; stride *= sizes[d--]) expanded[d] = stride;
    });
    return { offset, strides: expanded };
  };
  return { ...kernel, domain: sizes, body: mapViews(kernel.body, expand) };
}

/**
 * Outputs and epilogue inputs larger than a binding; `inDomain` turns a box of the caller's space into a box of the
 * kernel's domain.
 */
export function epilogueOperands(kernel: Kernel, traits: DeviceTraits, inDomain: (box: Box) => Box): KernelOperand[] {
  const operands: KernelOperand[] = [];
  const add = (reference: BufferReference, label: string, type: Kernel["inputs"][number], views: readonly View[]) => {
    if (views.length === 0 || fitsWhole(elementCount(type.shape), type.dtype, traits)) return;
    const range = (box: Box) => unionRange(views.map((view) => viewRange(view, inDomain(box))));
    operands.push({ reference, label: `${label} [${type.shape.join(", ")}]`, dtype: type.dtype, range });
  };
  kernel.inputs.forEach((type, index) => {
    const loads = kernel.body.filter((expression) => expression.kind === "load" && expression.input === index);
    add({ kind: "input", index }, "input", type, viewsOf(loads));
  });
  const whole = { offset: 0, strides: contiguousStrides(kernel.domain) };
  kernel.outputs.forEach(({ type }, index) => {
    add({ kind: "output", index }, "output", type, [whole]);
  });
  return operands;
}

/** A dense operand of the core, if it is larger than a binding. */
export function coreOperand(
  kernel: Kernel,
  traits: DeviceTraits,
  index: number,
  range: WindowedOperand["range"],
): KernelOperand[] {
  const { shape, dtype } = kernel.inputs[index];
  if (fitsWhole(elementCount(shape), dtype, traits)) return [];
  return [{ reference: { kind: "input", index }, label: `input [${shape.join(", ")}]`, dtype, range }];
}

/** Scratch 0 of `count` elements, if it is larger than a binding. */
export function scratchOperand(count: number, traits: DeviceTraits, range: WindowedOperand["range"]): KernelOperand[] {
  if (fitsWhole(count, "f32", traits)) return [];
  return [{ reference: { kind: "scratch", index: 0 }, label: `partial sums [${count}]`, dtype: "f32", range }];
}

/** Binds each operand's window for one box. */
export function setWindows(shader: ShaderBuilder, operands: readonly KernelOperand[], box: Box): void {
  for (const { reference, range, window } of operands) {
    const { start, end } = window ? window(range(box)) : range(box);
    shader.window(reference, start, end);
  }
}
