/** Whether a plan fits its device, known before anything is allocated. */
import type { Backend } from "../backend/backend.ts";
import type { TensorType } from "../dtype.ts";
import { LimitError } from "../errors.ts";
import type { VariableAttrs } from "../ops/leaf.ts";
import type { Tensor } from "../tensor.ts";
import type { EmittedKernel } from "./emit.ts";
import type { CompiledGraph } from "./pipeline.ts";
import { formatBytes } from "./plan.ts";

function tooLarge(backend: Backend, label: string, bytes: number, path?: string): LimitError {
  return new LimitError({
    what: "compile",
    path,
    facts: `"${label}" needs ${formatBytes(bytes)} and one buffer of ${backend.name} holds at most ${formatBytes(backend.limits.maxBufferBytes)}`,
    hint: "Use a smaller batch or layer, or another device",
  });
}

/** Refuses f16 tensors on a device that cannot store them. */
export function checkHalves({ limits, name }: Backend, tensors: readonly Tensor[]): void {
  const half = limits.halves ? undefined : tensors.find(({ dtype }) => dtype === "f16");
  if (!half) return;
  throw new LimitError({
    what: "compile",
    path: half.layer,
    facts: `${half} is of half precision, and ${name} has no shader-f16`,
    hint: "Compute in float32, or use another device",
    site: half.site,
  });
}

/**
 * Refuses kernels with a tensor larger than any buffer. It comes before kernels are lowered: a device works through a
 * tensor by windows, whose number has no bound but this.
 */
export function checkKernels(
  backend: Backend,
  kernels: readonly EmittedKernel[],
  bytesOf: (type: TensorType) => number,
): void {
  for (const { kernel, inputs, outputs } of kernels) {
    for (const tensor of [...inputs, ...outputs]) {
      const bytes = bytesOf(tensor);
      if (bytes <= backend.limits.maxBufferBytes) continue;
      const { name, variable } = (tensor.attrs ?? {}) as { name?: string; variable?: { name: string } };
      throw tooLarge(backend, variable?.name ?? name ?? kernel.label, bytes, kernel.path);
    }
  }
}

/** Refuses a plan that cannot fit, with numbers, before anything is allocated. */
export function checkLimits(backend: Backend, { plan, leafOf }: CompiledGraph): void {
  const { budgetBytes, maxBufferBytes } = backend.limits;
  const bound = [...leafOf].reduce((sum, [index, { attrs, op }]) => {
    const already = op.name === "variable" && (attrs as VariableAttrs).variable.backend === backend;
    return sum + (already ? plan.buffers[index].bytes : 0);
  }, 0);
  const needed = plan.memory.peak - bound;
  if (backend.liveBytes + needed > budgetBytes) {
    throw new LimitError({
      what: "compile",
      facts: `the plan needs ${formatBytes(needed)} more, ${formatBytes(backend.liveBytes)} are in use and the budget of ${backend.name} is ${formatBytes(budgetBytes)}`,
      hint: "Use a smaller batch or model, or raise the memory budget",
    });
  }
  const large = plan.buffers.find(({ bytes }) => bytes > maxBufferBytes);
  if (large) throw tooLarge(backend, large.label, large.bytes);
}
