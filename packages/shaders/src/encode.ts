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
import type { PipelineCache } from "./pipelines.ts";

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

interface PlannedDispatch {
  readonly call: PlanCall;
  readonly dispatch: Dispatch;
}

/** The dispatches of each call of a plan. */
function dispatchesOf({ calls }: Plan, { kernels }: ProgramContext): PlannedDispatch[][] {
  return calls.map((call) =>
    kernels.generate(call.kernel, overwritesOf(call)).dispatches.map((dispatch) => ({ call, dispatch })),
  );
}

function pipelinesOf(
  dispatches: readonly PlannedDispatch[],
  { pipelines }: ProgramContext,
): Promise<GPUComputePipeline>[] {
  return dispatches.map(({ call, dispatch }) => pipelines.pipeline(dispatch, call.kernel.label));
}

/** Begins with a plan's pipelines; `encodePlan` tries one that cannot be made again, and says why. */
export function beginPlan(plan: Plan, context: ProgramContext): void {
  // long shaders take longest: begun last, they would be waited for alone
  const dispatches = dispatchesOf(plan, context)
    .flat()
    .sort((a, b) => b.dispatch.shader.length - a.dispatch.shader.length);
  for (const pipeline of pipelinesOf(dispatches, context)) pipeline.catch(() => {});
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
  const calls = dispatchesOf(plan, context);
  const flat = calls.flat();
  const fresh = flat.flatMap(({ dispatch }) => (context.pipelines.claim(dispatch) ? [dispatch] : []));
  const pipelines = Promise.all(pipelinesOf(flat, context));
  // awaited below, unless something else fails first
  pipelines.catch(() => {});
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
  const bindGroups = flat.map(({ call, dispatch }, i) => {
    const paramsOf = { buffer: params.gpu, offset: offsets[i], size: dispatch.params.byteLength };
    return createBindGroup(context, { plan, call, dispatch, params: paramsOf, buffers });
  });
  const refused = device.popErrorScope();
  try {
    const [made, error] = await waitQuietly(Promise.all([pipelines, refused]));
    if (error) {
      const facts = `${context.opened.description} refused a kernel's buffers: ${error.message}`;
      throw new BackendError({ what: "prepare", facts });
    }
    let next = 0;
    const encoded = calls.map((dispatches) =>
      dispatches.map(({ dispatch: { workgroups } }): EncodedDispatch => {
        const i = next++;
        return { pipeline: made[i], bindGroup: bindGroups[i], workgroups };
      }),
    );
    return { calls: encoded, fresh, params };
  } catch (error) {
    context.memory.free(params);
    throw error;
  }
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
  readonly params: GPUBufferBinding;
  readonly buffers: readonly WebGpuBuffer[];
}

function createBindGroup({ opened, counters, pipelines }: ProgramContext, options: BindOptions): GPUBindGroup {
  const { plan, call, dispatch, params, buffers } = options;
  const resource = ({ buffer, offset, size }: BindingWindow): GPUBufferBinding => {
    if (buffer.kind === "scalars") return { buffer: buffers[plan.scalarsBuffer].gpu };
    const table = { input: call.inputs, output: call.outputs, scratch: call.scratch }[buffer.kind];
    return { buffer: buffers[table[buffer.index]].gpu, offset, size };
  };
  counters.bindGroups += 1;
  return opened.device.createBindGroup({
    label: call.kernel.label,
    layout: pipelines.bindGroupLayout(dispatch),
    entries: [...dispatch.bindings.map(resource), params].map((bound, binding) => ({ binding, resource: bound })),
  });
}
