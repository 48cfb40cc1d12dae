/**
 * Tuning: times every alternative of the kernels of a plan on this device and says which is fastest. Each runs alone, with
 * its epilogue, on buffers of its own, and counts only if it gives the result that the static rules' kernel gives.
 */
import { type DType, elementCount, type Kernel, Plan, type PlanBuffer } from "@guidance/tensor";
import type { WebGpuBuffer } from "./buffers.ts";
import type { ProgramContext } from "./encode.ts";
import { bufferBytes } from "./kernels/builder.ts";
import { choiceKey, choicesOf, chosenTraits } from "./kernels/choices.ts";
import type { DeviceTraits } from "./kernels/dispatch.ts";
import { KernelCache } from "./lowering.ts";
import { fillBuffers, profilePlan } from "./profile.ts";
import { WebGpuProgram } from "./program.ts";

/** One alternative for a kernel, and its time. */
export interface TimedChoice {
  readonly choice: string;
  /** Median of a run; undefined where the result was wrong or the device refused the kernel. */
  readonly seconds: number | undefined;
}

/** The alternatives for all kernels of one size. */
export interface TunedKernel {
  readonly key: string;
  /** How many kernels of the plan have this key. */
  readonly count: number;
  /** Median seconds of the kernel that the static rules take. */
  readonly before: number;
  readonly timed: readonly TimedChoice[];
  /** The fastest alternative if it beats the static one by more than the noise; else undefined. */
  readonly best: string | undefined;
}

/** Runs of a kernel of which the median counts. */
const ROUNDS = 15;
/** How often what seems faster is measured again, in turn with the static kernel. */
const CONFIRMATIONS = 2;
/** An alternative must save this part of the time: less is noise, and every other kernel is one more to compile. */
const WORTHWHILE = 0.05;
/** Largest difference of a result, as a part of its largest value. */
const TOLERANCE = 1e-4;

export async function tunePlan(
  plan: Plan,
  traits: DeviceTraits,
  context: ProgramContext,
  announce: (tuned: TunedKernel, done: number, total: number) => void = () => {},
): Promise<TunedKernel[]> {
  const { choices: _choices, ...own } = traits;
  const kernels = new Map<string, { kernel: Kernel; count: number }>();
  for (const { kernel } of plan.calls) {
    const key = choiceKey(kernel);
    if (key === undefined) continue;
    const known = kernels.get(key);
    if (known) known.count += 1;
    else kernels.set(key, { kernel, count: 1 });
  }
  const tuned: TunedKernel[] = [];
  for (const [key, { kernel, count }] of kernels) {
    const found = await tuneKernel(kernel, own, context);
    tuned.push({ key, count, ...found });
    announce(tuned[tuned.length - 1], tuned.length, kernels.size);
  }
  return tuned;
}

async function tuneKernel(kernel: Kernel, traits: DeviceTraits, context: ProgramContext) {
  const expected = await measure(kernel, traits, context);
  const timed: { choice: string; seconds: number | undefined }[] = [];
  for (const choice of choicesOf(kernel, traits)) {
    const found = await measure(kernel, chosenTraits(traits, choice), context).catch(() => undefined);
    const right = found?.outputs.every((output, i) => agrees(output, expected.outputs[i]));
    timed.push({ choice, seconds: right ? found?.seconds : undefined });
  }
  const best = timed.reduce((a, b) => ((b.seconds ?? Infinity) < (a.seconds ?? Infinity) ? b : a));
  let before = expected.seconds;
  const saves = () => best.seconds !== undefined && best.seconds < before * (1 - WORTHWHILE);
  // what seems faster has to be so in turn with what is there, too: machines have other things to do
  for (let turn = 0; turn < CONFIRMATIONS && saves(); turn++) {
    before = Math.min(before, (await measure(kernel, traits, context)).seconds);
    const again = await measure(kernel, chosenTraits(traits, best.choice), context);
    best.seconds = Math.min(best.seconds ?? Infinity, again.seconds);
  }
  return { before, timed, best: saves() ? best.choice : undefined };
}

/** Time and outputs of one kernel as generated with `traits`. */
async function measure(kernel: Kernel, traits: DeviceTraits, context: ProgramContext) {
  const own: ProgramContext = { ...context, kernels: new KernelCache(traits) };
  const plan = singlePlan(kernel, own.kernels);
  const outputs = await runOnce(plan, own);
  const { calls } = await profilePlan(plan, own, ROUNDS);
  return { seconds: calls[0].seconds, outputs };
}

/** A plan of one kernel, whose outputs are read back. */
function singlePlan(kernel: Kernel, kernels: KernelCache): Plan {
  const { dispatches, scratch, family } = kernels.generate(
    kernel,
    kernel.outputs.map(() => undefined),
  );
  const buffers: PlanBuffer[] = [];
  const add = (role: PlanBuffer["role"], bytes: number, label: string) => buffers.push({ role, bytes, label }) - 1;
  const inputs = kernel.inputs.map(({ shape, dtype }, i) =>
    add("variable", bufferBytes(elementCount(shape), dtype), `input ${i}`),
  );
  const outputs = kernel.outputs.map(({ type: { shape, dtype } }, i) =>
    add("temporary", bufferBytes(elementCount(shape), dtype), `output ${i}`),
  );
  const taken = scratch.map((bytes, i) => add("temporary", bytes, `scratch ${i}`));
  const slots = kernel.body.flatMap((expression) => (expression.kind === "scalar" ? [expression.slot] : []));
  const scalars: DType[] = Array.from({ length: slots.length > 0 ? Math.max(...slots) + 1 : 0 }, () => "f32");
  return new Plan({
    buffers:
      scalars.length > 0 ? [...buffers, { role: "scalars", bytes: 4 * scalars.length, label: "scalars" }] : buffers,
    calls: [{ kernel, inputs, outputs, scratch: taken, family, dispatches: dispatches.length }],
    scalars,
    scalarsBuffer: scalars.length > 0 ? buffers.length : -1,
    outputs: kernel.outputs.map(({ type }, i) => ({ name: `output ${i}`, buffer: outputs[i], type })),
    memory: { variables: 0, inputs: 0, constants: 0, temporaries: 0, staging: 0, peak: 0 },
  });
}

async function runOnce(plan: Plan, context: ProgramContext): Promise<Float32Array[]> {
  const buffers: WebGpuBuffer[] = [];
  let program: WebGpuProgram | undefined;
  try {
    for (const { bytes, label } of plan.buffers) buffers.push(context.memory.storage(bytes, label));
    fillBuffers(plan, buffers, context);
    program = await WebGpuProgram.prepare(plan, buffers, context);
    return (await program.run()).map((bytes) => new Float32Array(bytes));
  } finally {
    program?.close();
    for (const buffer of buffers) context.memory.free(buffer);
  }
}

function agrees(actual: Float32Array, expected: Float32Array): boolean {
  let scale = 1e-30;
  for (const value of expected) scale = Math.max(scale, Math.abs(value));
  return actual.every(
    (value, i) => Object.is(value, expected[i]) || Math.abs(value - expected[i]) <= TOLERANCE * scale,
  );
}
