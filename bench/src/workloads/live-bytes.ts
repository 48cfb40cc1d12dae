/** How close a plan's memory is to the least any plan could do with: the tensors that are live at the same time. */
import { elementCount, type Plan } from "@guidance/tensor";

interface Value {
  readonly bytes: number;
  readonly from: number;
  to: number;
}

/** Peak of the plan over the peak of its live tensors; what lives through the whole step counts in both. */
export function peakRatio({ calls, buffers, outputs, memory }: Plan): number {
  const values: Value[] = [];
  const latest = new Map<number, Value>();
  const isTemporary = (buffer: number) => buffers[buffer].role === "temporary";
  calls.forEach(({ kernel, inputs, outputs: stored, scratch }, call) => {
    for (const buffer of inputs) {
      const value = latest.get(buffer);
      if (value) value.to = 2 * call;
    }
    for (const buffer of scratch) values.push({ bytes: buffers[buffer].bytes, from: 2 * call, to: 2 * call });
    stored.forEach((buffer, o) => {
      if (!isTemporary(buffer)) return;
      // what is written in place takes over where the old value ends
      const from = inputs.includes(buffer) ? 2 * call + 1 : 2 * call;
      const value = { bytes: elementCount(kernel.outputs[o].type.shape) * 4, from, to: from };
      values.push(value);
      latest.set(buffer, value);
    });
  });
  for (const { buffer } of outputs) {
    const value = latest.get(buffer);
    if (value) value.to = 2 * calls.length;
  }
  let live = 0;
  for (let time = 0; time < 2 * calls.length; time++) {
    const now = values.reduce((sum, { bytes, from, to }) => sum + (from <= time && time <= to ? bytes : 0), 0);
    live = Math.max(live, now);
  }
  return memory.peak / (memory.peak - memory.temporaries + live);
}
