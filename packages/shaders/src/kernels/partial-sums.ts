/**
 * The second stage of a kernel whose core is summed in parts: a map kernel that adds the slices of the partial sums,
 * always in the same order, and runs the fused body on the total. Two stages instead of float atomics: the same bits on
 * every run.
 */
import { contiguousStrides, type Expression, elementCount, type Kernel } from "@guidance/tensor";
import type { DeviceTraits, Dispatch } from "./dispatch.ts";
import { generateMap } from "./map.ts";

/**
 * Dispatches that finish `kernel` from `slices` results of its core, one behind another in scratch 0.
 *
 * Each slice holds the core's result in the order of the kernel's domain.
 */
export function finishPartialSums(
  kernel: Kernel,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
  slices: number,
): Dispatch[] {
  const partial = kernel.inputs.length;
  const count = elementCount(kernel.domain);
  const strides = contiguousStrides(kernel.domain);
  const body: Expression[] = [];
  for (let slice = 0; slice < slices; slice++) {
    body.push({ kind: "load", input: partial, view: { offset: slice * count, strides }, dtype: "f32" });
    // the running total is the expression before the load, or the first load
    if (slice > 0) body.push({ kind: "apply", op: "add", arguments: [body.length - 2, body.length - 1], dtype: "f32" });
  }
  const total = body.length - 1;
  const moved: number[] = [];
  for (const expression of kernel.body) {
    if (expression.kind === "core") {
      moved.push(total);
      continue;
    }
    const { kind } = expression;
    moved.push(body.length);
    body.push(kind === "apply" ? { ...expression, arguments: expression.arguments.map((i) => moved[i]) } : expression);
  }
  const finish: Kernel = {
    ...kernel,
    inputs: [...kernel.inputs, { shape: [slices * count], dtype: "f32" }],
    core: undefined,
    body,
    outputs: kernel.outputs.map(({ type, expression }) => ({ type, expression: moved[expression] })),
  };
  return generateMap(finish, overwrites, traits).dispatches.map((dispatch) => ({
    ...dispatch,
    bindings: dispatch.bindings.map((binding) =>
      binding.buffer.kind === "input" && binding.buffer.index === partial
        ? { ...binding, buffer: { kind: "scratch" as const, index: 0 } }
        : binding,
    ),
  }));
}
