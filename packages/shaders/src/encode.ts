/**
 * From a plan on its buffers to dispatches that can be encoded: pipelines, one uniform buffer with the parameters of all
 * dispatches, and bind groups.
 */
import { BackendError, type Plan, type PlanCall } from "@guidance/tensor";
import type { OpenedDevice } from "./adapter/device.ts";
import { waitQuietly } from "./adapter/wait.ts";
import type { Counters, Memory, WebGpuBuffer } from "./buffers.ts";
import type { BindingWindow, Dispatch } from "./kernels/dispatch.ts";
import type { KernelCache } from "./lowering.ts";
import type { Pipeline, PipelineCache } from "./pipelines.ts";

/** What programs share: the parts of the backend. */
export interface ProgramContext {
  readonly opened: OpenedDevice;
  readonly memory: Memory;
  readonly counters: Counters;
  readonly kernels: KernelCache;
  readonly pipelines: PipelineCache;
}

export interface EncodedDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

export interface EncodedPlan {
  /** The dispatches of each call of the plan. */
  readonly calls: readonly (readonly EncodedDispatch[])[];
  /** Those whose shaders no plan had before. */
  readonly fresh: readonly Dispatch[];
  /** Parameters of all of them; the caller frees it. */
  readonly params: WebGpuBuffer;
}

/**
 * Makes a plan's dispatches; `buffers[i]` holds `plan.buffers[i]`. All pipelines are made at the same time.
 *
 * @throws BackendError naming the kernel that could not be made
 */
export async function encodePlan(
  plan: Plan,
  buffers: readonly WebGpuBuffer[],
  context: ProgramContext,
): Promise<EncodedPlan> {
  const calls = plan.calls.map((call) => ({
    call,
    dispatches: context.kernels.generate(call.kernel, overwritesOf(call)).dispatches,
  }));
  const flat = calls.flatMap(({ call, dispatches }) => dispatches.map((dispatch) => ({ call, dispatch })));
  const fresh = new Map<string, Dispatch>();
  for (const { dispatch } of flat) if (!context.pipelines.has(dispatch)) fresh.set(dispatch.shader, dispatch);
  const pipelines = await Promise.all(
    flat.map(({ call, dispatch }) => context.pipelines.pipeline(dispatch, call.kernel.label)),
  );
  const { device, limits } = context.opened;
  const align = limits.minUniformBufferOffsetAlignment;
  const offsets: number[] = [];
  let size = 0;
  for (const { dispatch } of flat) {
    offsets.push(size);
    size += Math.ceil(dispatch.params.byteLength / align) * align;
  }
  const params = context.memory.uniform(size, "kernel parameters");
  const words = new Uint32Array(params.bytes / 4);
  flat.forEach(({ dispatch }, i) => {
    words.set(dispatch.params, offsets[i] / 4);
  });
  device.pushErrorScope("validation");
  device.queue.writeBuffer(params.gpu, 0, words);
  const encoded = flat.map(({ call, dispatch }, i): EncodedDispatch => {
    const paramsOf = { buffer: params.gpu, offset: offsets[i], size: dispatch.params.byteLength };
    const options = { plan, call, dispatch, pipeline: pipelines[i], params: paramsOf, buffers };
    const bindGroup = createBindGroup(context, options);
    return { pipeline: pipelines[i].gpu, bindGroup, workgroups: dispatch.workgroups };
  });
  const error = await waitQuietly(device.popErrorScope());
  if (error) {
    context.memory.free(params);
    const facts = `${context.opened.description} refused a kernel's buffers: ${error.message}`;
    throw new BackendError({ what: "prepare", facts });
  }
  let next = 0;
  const perCall = calls.map(({ dispatches }) => {
    const first = next;
    next += dispatches.length;
    return encoded.slice(first, next);
  });
  return { calls: perCall, fresh: [...fresh.values()], params };
}

/** Adds dispatches to a pass. */
export function dispatchAll(pass: GPUComputePassEncoder, dispatches: Iterable<EncodedDispatch>): void {
  for (const { pipeline, bindGroup, workgroups } of dispatches) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...workgroups);
  }
}

/** The kernel input that each output overwrites: the one that shares its buffer. */
function overwritesOf({ inputs, outputs }: PlanCall): (number | undefined)[] {
  return outputs.map((buffer) => {
    const input = inputs.indexOf(buffer);
    return input < 0 ? undefined : input;
  });
}

interface BindOptions {
  readonly plan: Plan;
  readonly call: PlanCall;
  readonly dispatch: Dispatch;
  readonly pipeline: Pipeline;
  readonly params: GPUBufferBinding;
  readonly buffers: readonly WebGpuBuffer[];
}

function createBindGroup({ opened, counters }: ProgramContext, options: BindOptions): GPUBindGroup {
  const { plan, call, dispatch, pipeline, params, buffers } = options;
  const resource = ({ buffer, offset, size }: BindingWindow): GPUBufferBinding => {
    if (buffer.kind === "scalars") return { buffer: buffers[plan.scalarsBuffer].gpu };
    const table = { input: call.inputs, output: call.outputs, scratch: call.scratch }[buffer.kind];
    return { buffer: buffers[table[buffer.index]].gpu, offset, size };
  };
  counters.bindGroups += 1;
  return opened.device.createBindGroup({
    label: call.kernel.label,
    layout: pipeline.layout,
    entries: [...dispatch.bindings.map(resource), params].map((bound, binding) => ({ binding, resource: bound })),
  });
}
