/** Runs single kernels on any backend, and makes random ones: for tests that compare a device with the CPU backend. */
import {
  type Backend,
  type DType,
  type Expression,
  elementCount,
  halfFromFloat,
  type Kernel,
  Plan,
  type PlanBuffer,
  type TensorType,
  type TypedArray,
  viewAs,
} from "@guidance/tensor";
import { openDevice } from "./adapter/open.ts";
import { type BackendOptions, createBackend, type WebGpuBackend } from "./backend.ts";
import { bufferBytes } from "./kernels/builder.ts";

export interface KernelRun {
  /** Input that each output overwrites in place. */
  readonly overwrites?: readonly (number | undefined)[];
  /** Values of the host scalars, all f32. */
  readonly scalars?: readonly number[];
}

/** A plan of one kernel. */
export function singlePlan(backend: Backend, kernel: Kernel, { overwrites = [], scalars = [] }: KernelRun = {}): Plan {
  const { dispatches, scratch, family } = backend.lower(kernel);
  const buffers: PlanBuffer[] = [];
  const add = (role: PlanBuffer["role"], bytes: number, label: string) => buffers.push({ role, bytes, label }) - 1;
  const inputs = kernel.inputs.map(({ shape, dtype }, i) =>
    add("input", bufferBytes(elementCount(shape), dtype), `input ${i}`),
  );
  const outputs = kernel.outputs.map(({ type: { shape, dtype } }, o) => {
    const input = overwrites[o];
    return input === undefined
      ? add("temporary", bufferBytes(elementCount(shape), dtype), `output ${o}`)
      : inputs[input];
  });
  const taken = scratch.map((bytes, i) => add("temporary", bytes, `scratch ${i}`));
  const scalarsBuffer = scalars.length > 0 ? add("scalars", scalars.length * 4, "scalars") : -1;
  return new Plan({
    buffers,
    calls: [{ kernel, inputs, outputs, scratch: taken, family, dispatches }],
    scalars: scalars.map((): DType => "f32"),
    scalarsBuffer,
    outputs: kernel.outputs.map(({ type }, o) => ({ name: `output${o}`, buffer: outputs[o], type })),
    memory: { variables: 0, inputs: 0, constants: 0, temporaries: 0, staging: 0, peak: 0 },
  });
}

/** Runs one kernel and returns its outputs; whatever it does not write is NaN. */
export async function runKernel(
  backend: Backend,
  kernel: Kernel,
  values: readonly TypedArray[],
  run: KernelRun = {},
): Promise<TypedArray[]> {
  const plan = singlePlan(backend, kernel, run);
  const buffers = plan.buffers.map(({ bytes, label }) => backend.allocate(bytes, label));
  buffers.forEach((buffer, i) => {
    if (plan.buffers[i].role === "temporary") backend.write(buffer, new Uint8Array(plan.buffers[i].bytes).fill(0xff));
  });
  values.forEach((array, i) => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    backend.write(buffers[plan.calls[0].inputs[i]], bytes);
  });
  if (run.scalars?.length) backend.write(buffers[plan.scalarsBuffer], Float32Array.from(run.scalars));
  const program = await backend.prepare(plan, buffers);
  try {
    const outputs = await backend.run(program);
    return outputs.map((bytes, o) => {
      const { shape, dtype } = kernel.outputs[o].type;
      return viewAs(bytes, dtype, "float32", elementCount(shape));
    });
  } finally {
    program.close();
    for (const buffer of buffers) backend.free(buffer);
  }
}

/** Another backend on a device of its own. */
export async function openWith(options: BackendOptions = {}): Promise<WebGpuBackend> {
  return createBackend(await openDevice(), options);
}

export const f32 = (...shape: number[]): TensorType => ({ shape, dtype: "f32" });

/** Pseudo-random values: [-1, 1) for floats, small whole numbers for the rest. */
export function noise({ shape, dtype }: TensorType, seed: number): TypedArray {
  const count = elementCount(shape);
  let state = (Math.imul(seed + 1, 2654435761) ^ 0x9e3779b9) >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  if (dtype === "f32") return Float32Array.from({ length: count }, () => next() * 2 - 1);
  if (dtype === "f16") return Uint16Array.from({ length: count }, () => halfFromFloat(next() * 2 - 1));
  if (dtype === "i32") return Int32Array.from({ length: count }, () => Math.floor(next() * 40) - 20);
  if (dtype === "u8") return Uint8Array.from({ length: count }, () => Math.floor(next() * 256));
  const most = dtype === "bool" ? 2 : 40;
  return Uint32Array.from({ length: count }, () => Math.floor(next() * most));
}

/** The largest difference relative to the size of the values; NaN and infinities must be equal. */
export function difference(actual: TypedArray, expected: TypedArray): number {
  if (actual.length !== expected.length) return Infinity;
  let scale = 1e-30;
  for (const value of expected) if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value));
  let worst = 0;
  actual.forEach((value: number, i: number) => {
    if (Object.is(value, expected[i]) || value === expected[i]) return;
    const error = Math.abs(value - expected[i]) / scale;
    worst = Math.max(worst, Number.isFinite(error) ? error : Infinity);
  });
  return worst;
}

export const load = (input: number, strides: readonly number[], offset = 0, dtype: DType = "f32"): Expression => ({
  kind: "load",
  input,
  view: { offset, strides },
  dtype,
});
