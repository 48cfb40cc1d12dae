/** Whether a plan fits its device, known before anything is allocated. */
import type { Backend } from "../backend/backend.ts";
import { LimitError } from "../errors.ts";
import type { VariableAttrs } from "../ops/leaf.ts";
import type { CompiledGraph } from "./pipeline.ts";
import { formatBytes } from "./plan.ts";

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
  if (large) {
    throw new LimitError({
      what: "compile",
      facts: `"${large.label}" needs ${formatBytes(large.bytes)} and one buffer of ${backend.name} holds at most ${formatBytes(maxBufferBytes)}`,
      hint: "Use a smaller batch or layer, or another device",
    });
  }
}
