/**
 * For tests of kernels with a core op: makes such a kernel, runs its dispatches on a device with nothing but raw WebGPU,
 * and computes what the op's reference says. Outputs and scratch start as NaN, so that an element never written shows.
 */
import {
  type CoreAttrs,
  type CoreName,
  contiguousStrides,
  coreOps,
  elementCount,
  isOpCore,
  type Kernel,
  type OpDefinition,
  type TensorType,
  type TypedArray,
} from "@guidance/tensor";
import type { OpenedDevice } from "../adapter/device.ts";
import { bufferUsage, mapMode } from "../adapter/usage.ts";
import { bufferBytes } from "./builder.ts";
import type { BufferReference, DeviceTraits, Dispatch, KernelGenerator } from "./dispatch.ts";

/** Kernel of one core op without an epilogue. */
export function coreKernel<Name extends CoreName>(
  op: Name,
  attrs: CoreAttrs[Name],
  operands: readonly TensorType[],
): Kernel {
  const definition = coreOps[op] as unknown as OpDefinition<CoreAttrs[Name]>;
  const result = definition.infer(operands, attrs);
  return {
    label: op,
    path: "",
    inputs: operands,
    domain: result.shape,
    core: { op, attrs, operands, result } as unknown as Kernel["core"],
    body: [{ kind: "core", result: 0, dtype: result.dtype }],
    outputs: [{ type: result, expression: 0 }],
  };
}

/** relu(core * scale[channel] + bias[channel] + residual): what a guide's layer fuses. Inputs are added behind. */
export function withEpilogue(kernel: Kernel): Kernel {
  const { domain, inputs } = kernel;
  const channel = { offset: 0, strides: [0, 1, 0, 0] };
  const f32 = "f32" as const;
  const first = inputs.length;
  return {
    ...kernel,
    inputs: [
      ...inputs,
      { shape: [domain[1]], dtype: f32 },
      { shape: [domain[1]], dtype: f32 },
      { shape: domain, dtype: f32 },
    ],
    body: [
      { kind: "core", result: 0, dtype: f32 },
      { kind: "load", input: first, view: channel, dtype: f32 },
      { kind: "load", input: first + 1, view: channel, dtype: f32 },
      { kind: "load", input: first + 2, view: { offset: 0, strides: contiguousStrides(domain) }, dtype: f32 },
      { kind: "apply", op: "mul", arguments: [0, 1], dtype: f32 },
      { kind: "apply", op: "add", arguments: [4, 2], dtype: f32 },
      { kind: "apply", op: "add", arguments: [5, 3], dtype: f32 },
      { kind: "constant", value: 0.25, dtype: f32 },
      { kind: "apply", op: "sub", arguments: [6, 7], dtype: f32 },
    ],
    outputs: [{ type: { shape: domain, dtype: f32 }, expression: 8 }],
  };
}

/** core + its first operand, element by element (the operand has at least as many). */
export function withOperand(kernel: Kernel): Kernel {
  const { domain } = kernel;
  return {
    ...kernel,
    body: [
      { kind: "core", result: 0, dtype: "f32" },
      { kind: "load", input: 0, view: { offset: 0, strides: contiguousStrides(domain) }, dtype: "f32" },
      { kind: "apply", op: "add", arguments: [0, 1], dtype: "f32" },
    ],
    outputs: [{ ...kernel.outputs[0], expression: 2 }],
  };
}

/** What `withEpilogue` computes from the core's result. */
export function epilogueOf(
  result: TypedArray,
  shape: readonly number[],
  [scale, bias, residual]: readonly TypedArray[],
): Float32Array<ArrayBuffer> {
  const plane = shape[2] * shape[3];
  return Float32Array.from(result, (value, i) => {
    const channel = Math.floor(i / plane) % shape[1];
    return value * scale[channel] + bias[channel] + residual[i] - 0.25;
  });
}

export function referenceOf(kernel: Kernel, values: readonly TypedArray[]): TypedArray {
  const { core } = kernel;
  if (!isOpCore(core)) throw new Error("a core op was expected");
  const definition = coreOps[core.op] as unknown as OpDefinition;
  const count = elementCount(core.result.shape);
  const output = core.result.dtype === "i32" ? new Int32Array(count) : new Float32Array(count);
  definition.reference(values.slice(0, core.operands.length), core.operands, core.attrs, output);
  return output;
}

export function traitsOf(opened: OpenedDevice, overrides: Partial<DeviceTraits> = {}): DeviceTraits {
  return {
    subgroupSize: opened.subgroupSize ?? 0,
    software: opened.kind !== "hardware",
    maxBindingBytes: opened.limits.maxStorageBufferBindingSize,
    offsetAlignment: opened.limits.minStorageBufferOffsetAlignment,
    maxWorkgroupsPerDimension: opened.limits.maxComputeWorkgroupsPerDimension,
    ...overrides,
  };
}

/** Pseudo-random values in [-1, 1), the same for the same seed. */
export function noise(count: number, seed: number): Float32Array<ArrayBuffer> {
  let state = (seed * 2654435761) >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const POISON = new Uint8Array(Float32Array.of(Number.NaN).buffer);

/** Pipelines of each device by shader text: many shapes share one, and drivers compile slowly. */
const pipelinesByDevice = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

function pipelinesOf(device: GPUDevice): Map<string, GPUComputePipeline> {
  const known = pipelinesByDevice.get(device) ?? new Map<string, GPUComputePipeline>();
  pipelinesByDevice.set(device, known);
  return known;
}

/** Buffers, pipelines and bind groups of one kernel, ready to run any number of times. */
export class KernelRun {
  readonly #opened: OpenedDevice;
  readonly #kernel: Kernel;
  readonly #outputs: GPUBuffer[];
  readonly #buffers: GPUBuffer[] = [];
  readonly #steps: {
    readonly pipeline: GPUComputePipeline;
    readonly group: GPUBindGroup;
    readonly dispatch: Dispatch;
  }[];
  readonly dispatches: readonly Dispatch[];

  constructor(
    opened: OpenedDevice,
    kernel: Kernel,
    values: readonly TypedArray[],
    generate: KernelGenerator,
    traits: DeviceTraits,
  ) {
    this.#opened = opened;
    this.#kernel = kernel;
    const { device } = opened;
    const generated = generate(
      kernel,
      kernel.outputs.map(() => undefined),
      traits,
    );
    this.dispatches = generated.dispatches;
    const inputs = values.map((array) => this.#buffer(Math.max(16, Math.ceil(array.byteLength / 4) * 4), array));
    this.#outputs = kernel.outputs.map(({ type }) => this.#buffer(bufferBytes(elementCount(type.shape), type.dtype)));
    const scratch = generated.scratch.map((bytes) => this.#buffer(Math.max(16, bytes)));
    const bufferOf = (reference: BufferReference): GPUBuffer => {
      if (reference.kind === "scalars") throw new Error("no host scalars here");
      return { input: inputs, output: this.#outputs, scratch }[reference.kind][reference.index];
    };
    const pipelines = pipelinesOf(device);
    this.#steps = generated.dispatches.map((dispatch) => {
      const pipeline =
        pipelines.get(dispatch.shader) ??
        device.createComputePipeline({
          layout: "auto",
          compute: { module: device.createShaderModule({ code: dispatch.shader }) },
        });
      pipelines.set(dispatch.shader, pipeline);
      const params = this.#buffer(Math.max(16, Math.ceil(dispatch.params.byteLength / 16) * 16), dispatch.params);
      const resources = dispatch.bindings.map(({ buffer, offset, size }) => ({
        buffer: bufferOf(buffer),
        offset,
        size,
      }));
      const entries = [...resources, { buffer: params }].map((resource, binding) => ({ binding, resource }));
      return { pipeline, dispatch, group: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) };
    });
  }

  #buffer(bytes: number, contents?: ArrayBufferView): GPUBuffer {
    const { device } = this.#opened;
    const usage = bufferUsage.storage | bufferUsage.uniform | bufferUsage.copyDestination | bufferUsage.copySource;
    const buffer = device.createBuffer({ size: bytes, usage });
    const start = new Uint8Array(bytes);
    if (contents) start.set(new Uint8Array(contents.buffer, contents.byteOffset, contents.byteLength));
    else for (let i = 0; i < bytes; i++) start[i] = POISON[i % 4];
    device.queue.writeBuffer(buffer, 0, start);
    this.#buffers.push(buffer);
    return buffer;
  }

  /** Submits all dispatches, `times` over. */
  submit(times = 1): void {
    const { device } = this.#opened;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < times; i++) {
      for (const { pipeline, group, dispatch } of this.#steps) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...dispatch.workgroups);
      }
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  /** Values of output `index`. */
  async read(index = 0): Promise<TypedArray> {
    const { device } = this.#opened;
    const { type } = this.#kernel.outputs[index];
    const source = this.#outputs[index];
    const staging = device.createBuffer({
      size: source.size,
      usage: bufferUsage.mapRead | bufferUsage.copyDestination,
    });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging, 0, source.size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(mapMode.read);
    const bytes = staging.getMappedRange().slice(0);
    staging.destroy();
    const error = this.#opened.takeError();
    if (error) throw error;
    const count = elementCount(type.shape);
    return type.dtype === "i32" ? new Int32Array(bytes, 0, count) : new Float32Array(bytes, 0, count);
  }

  close(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }
}

/** Runs a kernel once and returns its first output. */
export async function runKernel(
  opened: OpenedDevice,
  kernel: Kernel,
  values: readonly TypedArray[],
  generate: KernelGenerator,
  traits: DeviceTraits,
): Promise<TypedArray> {
  const run = new KernelRun(opened, kernel, values, generate, traits);
  run.submit();
  const output = await run.read();
  run.close();
  return output;
}
