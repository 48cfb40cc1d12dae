/**
 * Runs a fused kernel in two steps: the core alone into scratch, then its epilogue as a map. Generators fall back on
 * it where windows make the fused form impossible: the epilogue reads a large tensor in an order of its own.
 */
import { contiguousStrides, elementCount, isOpCore, type Kernel } from "@guidance/tensor";
import type { BufferReference, DeviceTraits, Dispatch, GeneratedKernel, KernelGenerator } from "./dispatch.ts";
import { generateMap } from "./map.ts";

/** Whether the epilogue does nothing but store the core's result. */
export function isPlain({ body, outputs }: Kernel): boolean {
  return body.length === 1 && body[0].kind === "core" && outputs.length === 1;
}

/**
 * Whether a dispatch that runs the epilogue can bind one scratch buffer more: beside the outputs, the host scalars and
 * what the epilogue loads, and beside the operands of a core that is not reduced away (`operands` of them).
 */
export function canBindScratch(
  { body, outputs }: Kernel,
  operands: number,
  { maxStorageBuffers = Infinity }: DeviceTraits,
): boolean {
  const loaded = new Set(body.flatMap((expression) => (expression.kind === "load" ? [expression.input] : [])));
  const scalars = body.some(({ kind }) => kind === "scalar") ? 1 : 0;
  return loaded.size + outputs.length + scalars + operands + 1 <= maxStorageBuffers;
}

/** The kernel as core and map with scratch in between; `generate` must handle plain kernels. */
export const generateUnfused =
  (generate: KernelGenerator): KernelGenerator =>
  (kernel, overwrites, traits): GeneratedKernel => {
    const { core, domain, body, inputs } = kernel;
    if (!isOpCore(core)) throw new Error(`${kernel.label} has no core to take apart`);
    const result = { shape: [elementCount(domain)], dtype: core.result.dtype };
    const plain: Kernel = {
      ...kernel,
      inputs: inputs.slice(0, core.operands.length),
      body: [{ kind: "core", result: 0, dtype: core.result.dtype }],
      outputs: [{ type: result, expression: 0 }],
      domain: result.shape,
    };
    const first = generate(plain, [undefined], traits);
    const load = {
      kind: "load",
      input: inputs.length,
      view: { offset: 0, strides: contiguousStrides(domain) },
    } as const;
    const map: Kernel = {
      ...kernel,
      core: undefined,
      inputs: [...inputs, result],
      body: body.map((expression) => (expression.kind === "core" ? { ...load, dtype: expression.dtype } : expression)),
    };
    const second = generateMap(map, overwrites, traits);
    const rename =
      (from: BufferReference["kind"], index: number) =>
      (buffer: BufferReference): BufferReference => {
        if (buffer.kind === from && (buffer as { index: number }).index === index) return { kind: "scratch", index: 0 };
        return buffer.kind === "scratch" ? { kind: "scratch", index: buffer.index + 1 } : buffer;
      };
    return {
      dispatches: [
        ...renamed(first.dispatches, rename("output", 0)),
        ...renamed(second.dispatches, rename("input", inputs.length)),
      ],
      scratch: [elementCount(result.shape) * 4, ...first.scratch],
      family: first.family,
    };
  };

/** The dispatches with other buffers bound. */
export function renamed(
  dispatches: readonly Dispatch[],
  rename: (buffer: BufferReference) => BufferReference,
): Dispatch[] {
  return dispatches.map((dispatch) => ({
    ...dispatch,
    bindings: dispatch.bindings.map((binding) => ({ ...binding, buffer: rename(binding.buffer) })),
  }));
}
