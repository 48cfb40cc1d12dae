/**
 * Reductions: one pass where the outputs alone give enough parallel work, else two: a first pass reduces runs of the
 * reduced space into scratch, and a second, itself a small reduction, combines them and runs the epilogue. The
 * order of additions is fixed by the shapes and the device, so results repeat bit by bit; there are no atomics.
 *
 * Tensors larger than a binding are cut into boxes (see ../windows.ts). Cuts along the kept dimensions change
 * nothing; if the reduced ones must be cut too, each box adds to the partial results in scratch.
 */
import { contiguousStrides, elementCount, type Kernel, mapViews, type View } from "@guidance/tensor";
import type { Box } from "../windows.ts";
import type { BufferReference, DeviceTraits, Dispatch, KernelGenerator } from "./dispatch.ts";
import { restrictView } from "./map.ts";
import { normalizeKernel } from "./normalize.ts";
import {
  LONG_ROW,
  type ReduceFamily,
  type ReduceKernel,
  type ReducePass,
  readsColumns,
  reduceDispatch,
  reductionsOf,
  SHORT_ROW,
} from "./reduce-pass.ts";
import { cutSpace, joinBoxes, type ReduceOperand, windowedOperands } from "./reduce-windows.ts";
import { canBindScratch } from "./unfused.ts";

type Overwrites = readonly (number | undefined)[];

export const generateReduce: KernelGenerator = (given, overwrites, traits) => {
  const kernel = asReduce(normalizeKernel(given).kernel);
  const operands = windowedOperands(kernel, traits);
  const { boxes, cutsReduced } = cutSpace(kernel, operands, traits);
  const dispatches: Dispatch[] = [];
  let scratch = 0;
  let family = "thread";
  for (const { domain, reduced } of boxes) {
    const plans = reduced.map((box) => planPass(restrict(kernel, domain, box).kernel, traits));
    family = plans[0].family;
    // all boxes of one domain box add to the same slots, as many as the largest needs
    const splits = Math.max(...plans.map((plan) => plan.splits));
    const windowsOf = (box: Box, among: readonly ReduceOperand[]) =>
      among.map((operand) => ({ reference: operand.reference, ...operand.range(box) }));
    if (splits === 1 && !cutsReduced) {
      const { kernel: part, output } = restrict(kernel, domain, reduced[0]);
      const windows = windowsOf(joinBoxes(domain, reduced[0]), operands);
      dispatches.push(
        reduceDispatch({ kernel: part, ...plans[0], target: { kind: "outputs", output }, windows }, overwrites, traits),
      );
      continue;
    }
    const count = splits * kernel.core.reductions.length * elementCount(domain.size);
    scratch = Math.max(scratch, count * 4);
    reduced.forEach((box, i) => {
      const part = restrict(kernel, domain, box).kernel;
      const plan = withSplits(part, plans[i].family, splits);
      const windows = windowsOf(
        joinBoxes(domain, box),
        operands.filter(({ stage }) => stage === "prologue"),
      );
      dispatches.push(
        reduceDispatch(
          { kernel: part, ...plan, target: { kind: "scratch", accumulate: i > 0, count }, windows },
          overwrites,
          traits,
        ),
      );
    });
    const windows = windowsOf(
      joinBoxes(domain, reduced[0]),
      operands.filter(({ stage }) => stage === "epilogue"),
    );
    dispatches.push(finishDispatch(kernel, { domain, splits, count, windows }, overwrites, traits));
  }
  return { dispatches, scratch: scratch > 0 ? [scratch] : [], family };
};

function asReduce(kernel: Kernel): ReduceKernel {
  const { core } = kernel;
  if (core?.op !== "reduce") throw new Error(`${kernel.label} is no reduction`);
  return { ...kernel, core };
}

// -- choosing -------------------------------------------------------------------------------------

/** Software: threads of columns, or rows, that keep two cores busy. Hardware: enough to hide memory latency. */
const enough = {
  software: { columns: 32, rows: 4, run: 4096 },
  hardware: { columns: 16384, rows: 512, run: 256 },
};
/** Slots of partial results per output, at most. */
const MOST_SPLITS = 1024;

function planPass(kernel: ReduceKernel, traits: DeviceTraits): Pick<ReducePass, "family" | "splits" | "chunk"> {
  const outputs = elementCount(kernel.domain);
  const reduced = elementCount(kernel.core.reduced);
  const columns = readsColumns(kernel);
  const { software, subgroupSize } = traits;
  const family = ((): ReduceFamily => {
    if (traits.family === "direct" || columns || reduced < SHORT_ROW) return "thread";
    if (software) return subgroupSize > 1 ? "subgroup" : "thread";
    return reduced >= LONG_ROW || subgroupSize <= 1 ? "workgroup" : "subgroup";
  })();
  const { columns: columnThreads, rows, run } = enough[software ? "software" : "hardware"];
  const items = columns ? outputs / (outputs % 4 === 0 ? 4 : 1) : outputs;
  const wanted = family === "thread" ? columnThreads : rows;
  // a second dispatch pays only if each part of the first still has a good run of work
  const shortest = family === "thread" ? run / 16 : run;
  if (!canBindScratch(kernel, 0, traits)) return withSplits(kernel, family, 1);
  const splits = Math.min(Math.ceil(wanted / items), Math.floor(reduced / shortest), MOST_SPLITS);
  const slots = Math.floor(traits.maxBindingBytes / 4 / (outputs * kernel.core.reductions.length));
  return withSplits(kernel, family, Math.max(1, Math.min(splits, slots)));
}

/** The pass with the reduced space in `splits` runs whose length is a multiple of four. */
function withSplits(
  kernel: ReduceKernel,
  family: ReduceFamily,
  splits: number,
): Pick<ReducePass, "family" | "splits" | "chunk"> {
  const chunk = Math.ceil(elementCount(kernel.core.reduced) / splits / 4) * 4;
  return { family, splits, chunk };
}

// -- the second pass ------------------------------------------------------------------------------

interface FinishOptions {
  readonly domain: Box;
  readonly splits: number;
  readonly count: number;
  readonly windows: ReducePass["windows"];
}

/** Combines the slots of scratch and runs the epilogue: a reduction whose one input is scratch. */
function finishDispatch(
  kernel: ReduceKernel,
  { domain, splits, count, windows }: FinishOptions,
  overwrites: Overwrites,
  traits: DeviceTraits,
): Dispatch {
  const outputs = elementCount(domain.size);
  const input = kernel.inputs.length;
  const reductions = reductionsOf(kernel);
  const step = contiguousStrides(domain.size);
  const second: ReduceKernel = {
    ...kernel,
    inputs: [...kernel.inputs, { shape: [count], dtype: "u32" }],
    core: {
      op: "reduce",
      reduced: [splits],
      // slot s of reduction r, output o: (s * reductions + r) * outputs + o
      body: reductions.map(({ dtype }, r) => ({
        kind: "load",
        input,
        dtype,
        view: { offset: r * outputs, strides: [...step, reductions.length * outputs] },
      })),
      reductions: reductions.map(({ op }, r) => ({ op, expression: r })),
    },
    domain: domain.size,
    body: mapViews(kernel.body, (view) => restrictView(view, domain.start)),
  };
  const output = restrictView({ offset: 0, strides: contiguousStrides(kernel.domain) }, domain.start);
  const normal = normalizeKernel(second, output);
  const part = asReduce(normal.kernel);
  const plan = withSplits(part, planPass(part, traits).family, 1);
  const dispatch = reduceDispatch(
    { kernel: part, ...plan, target: { kind: "outputs", output: normal.output }, windows },
    overwrites,
    traits,
  );
  const rename = (buffer: BufferReference): BufferReference =>
    buffer.kind === "input" && buffer.index === input ? { kind: "scratch", index: 0 } : buffer;
  return {
    ...dispatch,
    bindings: dispatch.bindings.map((binding) => ({ ...binding, buffer: rename(binding.buffer) })),
  };
}

/** The kernel over one box of its kept and reduced dimensions. */
function restrict(kernel: ReduceKernel, domain: Box, reduced: Box): { kernel: ReduceKernel; output: View } {
  const start = [...domain.start, ...reduced.start];
  const core = {
    ...kernel.core,
    reduced: reduced.size,
    body: mapViews(kernel.core.body, (view) => restrictView(view, start)),
  };
  const body = mapViews(kernel.body, (view) => restrictView(view, domain.start));
  const output = restrictView({ offset: 0, strides: contiguousStrides(kernel.domain) }, domain.start);
  const normal = normalizeKernel({ ...kernel, domain: domain.size, body, core }, output);
  return { kernel: asReduce(normal.kernel), output: normal.output };
}
