/**
 * compile traces a function once and returns a Step: a planned program that runs any number of times. A
 * run writes the inputs and host scalars, runs the whole plan and resolves with the declared outputs.
 */
import type { Backend, DeviceBuffer, Program } from "./backend/backend.ts";
import { sharedCpuBackend } from "./backend/cpu.ts";
import { checkTrace, type Graph, topological } from "./compile/graph.ts";
import { type CompiledGraph, type CompileOptions, compileGraph } from "./compile/pipeline.ts";
import { formatBytes, type Plan, RUNS_IN_FLIGHT } from "./compile/plan.ts";
import { allocateArray, type DType, type TensorType, type TypedArray, viewAs } from "./dtype.ts";
import { BackendError, formatShape, LimitError, TraceError, ValueError } from "./errors.ts";
import { HostValue } from "./host-value.ts";
import { reportIfDropped } from "./leaks.ts";
import { leaves } from "./ops/index.ts";
import type { ArrayAttrs, HostScalarAttrs, InputAttrs, VariableAttrs } from "./ops/leaf.ts";
import { layerOf, withLayer } from "./scope.ts";
import { elementCount } from "./shape.ts";
import { create, Operand, type Tensor, where } from "./tensor.ts";
import { runTrace, type Trace } from "./trace.ts";

export { HostValue } from "./host-value.ts";

/** Declared type of a step input. */
export type InputSpec = TensorType;
/** What a run may be given for an input: its elements, or one number for a scalar. */
export type InputValue = ArrayLike<number> | number;

const spec =
  (dtype: DType) =>
  (...shape: number[]): InputSpec => ({ shape, dtype });
/** Input of 32-bit floats, e.g. `f32(128, 784)`. */
export const f32 = spec("f32");
export const i32 = spec("i32");
export const u32 = spec("u32");
/** Input of bytes, packed; cast it first. */
export const u8 = spec("u8");

type Inputs = Readonly<Record<string, InputSpec>>;
type Outputs = Readonly<Record<string, Operand>>;

/** A compiled step: call it with a batch. */
export interface Step<I extends Inputs, O extends Outputs> {
  (batch: { readonly [K in keyof I]: InputValue }): Promise<{ readonly [K in keyof O]: HostValue }>;
  /** Kernels, buffers and bytes; known before the first run. */
  readonly plan: Plan;
  readonly inputs: I;
  /** Frees the step's buffers, never the Variables. */
  close(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Traces `fn` on symbolic inputs and plans it for `backend`. Shapes are fixed; numbers captured by `fn` are
 * constants. Throws ShapeError, TraceError or LimitError before anything runs.
 */
export async function compile<I extends Inputs, O extends Outputs>(
  backend: Backend,
  inputs: I,
  fn: (inputs: { readonly [K in keyof I]: Tensor }) => O,
  options: CompileOptions = {},
): Promise<Step<I, O>> {
  const { trace, result } = runTrace((trace) => {
    const symbols = Object.fromEntries(
      Object.entries(inputs).map(([name, type]) => [name, create(leaves.input, [], { name, ...type } as InputAttrs)]),
    );
    const outputs = fn(symbols as { [K in keyof I]: Tensor });
    return graphOf(trace, outputs);
  });
  checkTrace(result, trace);
  const runner = await Runner.open(backend, inputs, compileGraph(result, backend, options), trace.afterScalars);
  const step = Object.assign((batch: { readonly [K in keyof I]: InputValue }) => runner.run(batch), {
    plan: runner.plan,
    inputs,
    close: () => runner.close(),
    [Symbol.asyncDispose]: async () => runner.close(),
  });
  reportIfDropped(step, `Step (${runner.plan.outputs.map(({ name }) => name).join(", ")})`, runner);
  return step as unknown as Step<I, O>;
}

/** Outputs and guarded stores: when a loss is not finite, every assigned Variable keeps its old value. */
function graphOf(trace: Trace, outputs: Outputs | Promise<unknown>): Graph {
  if (outputs instanceof Promise) {
    outputs.catch(() => {});
    throw new TraceError({
      what: "compile",
      facts: "the traced function returned a promise",
      expected: "a synchronous function",
      hint: "Values do not exist while tracing: return what you want to read as an output",
    });
  }
  for (const [name, output] of Object.entries(outputs)) {
    if (!(output instanceof Operand)) {
      throw new TraceError({
        what: "compile",
        facts: `output "${name}" is ${typeof output}`,
        expected: "a Tensor or Variable",
      });
    }
  }
  const finite = trace.losses
    .map((loss) => loss.isFinite())
    .reduce<Tensor | undefined>((all, one) => (all ? all.and(one) : one), undefined);
  return {
    outputs: Object.entries(outputs).map(([name, output]) => ({ name, tensor: output.asTensor() })),
    stores: trace.stores().map(({ variable, value }) => ({
      variable,
      tensor: finite
        ? withLayer(layerOf(variable.name), () => where(finite.reshape([]), value, trace.begin(variable)))
        : value,
    })),
  };
}

/** Owns the buffers of a step and runs its program. */
class Runner {
  readonly plan: Plan;
  readonly #backend: Backend;
  readonly #inputs: Inputs;
  readonly #compiled: CompiledGraph;
  readonly #afterScalars: readonly (() => void)[];
  readonly #buffers: DeviceBuffer[];
  readonly #inputBuffers = new Map<string, DeviceBuffer>();
  readonly #pending: Promise<unknown>[] = [];
  #program: Program | undefined;
  #forget: () => void = () => {};

  private constructor(
    backend: Backend,
    inputs: Inputs,
    compiled: CompiledGraph,
    afterScalars: readonly (() => void)[],
    buffers: DeviceBuffer[],
  ) {
    this.plan = compiled.plan;
    this.#backend = backend;
    this.#inputs = inputs;
    this.#compiled = compiled;
    this.#afterScalars = afterScalars;
    this.#buffers = buffers;
    for (const [index, leaf] of compiled.leafOf) {
      if (leaf.op.name === "input") this.#inputBuffers.set((leaf.attrs as InputAttrs).name, buffers[index]);
    }
  }

  static async open(
    backend: Backend,
    inputs: Inputs,
    compiled: CompiledGraph,
    afterScalars: readonly (() => void)[],
  ): Promise<Runner> {
    const { plan, leafOf } = compiled;
    checkLimits(backend, compiled);
    const variables = new Map(
      [...leafOf].flatMap(([index, leaf]) =>
        leaf.op.name === "variable" ? [[index, (leaf.attrs as VariableAttrs).variable.bind(backend)] as const] : [],
      ),
    );
    const buffers = plan.buffers.map(({ bytes, label }, i) => variables.get(i) ?? backend.allocate(bytes, label));
    const runner = new Runner(backend, inputs, compiled, afterScalars, buffers);
    for (const [index, leaf] of leafOf) {
      if (leaf.op.name !== "array") continue;
      const { data, dtype } = leaf.attrs as ArrayAttrs;
      backend.write(buffers[index], convert(data, dtype, backend, leaf.size));
    }
    try {
      runner.#program = await backend.prepare(plan, buffers);
    } catch (error) {
      runner.close();
      throw error;
    }
    runner.#forget = backend.onClose(() => runner.close());
    return runner;
  }

  /** One run: everything up to the submit happens in call order. */
  async run(batch: Readonly<Record<string, InputValue>>): Promise<Record<string, HostValue>> {
    const values = Object.entries(this.#inputs).map(([name, type]) => ({
      name,
      data: checkInput(name, batch[name], type, this.#backend),
    }));
    while (this.#pending.length >= RUNS_IN_FLIGHT) await this.#pending[0];
    if (!this.#program) throw new BackendError({ what: "step", facts: "it is closed", expected: "a run before close" });
    for (const { name, data } of values) {
      const buffer = this.#inputBuffers.get(name);
      if (buffer) this.#backend.write(buffer, data);
    }
    this.#writeScalars();
    const work = this.#backend.run(this.#program);
    const settled = work.then(
      () => {},
      () => {},
    );
    this.#pending.push(settled);
    try {
      const bytes = await work;
      return Object.fromEntries(
        this.plan.outputs.map(({ name, type }, i) => [
          name,
          new HostValue(viewAs(bytes[i], type.dtype, this.#backend.precision, elementCount(type.shape)), type),
        ]),
      );
    } finally {
      this.#pending.splice(this.#pending.indexOf(settled), 1);
    }
  }

  #writeScalars(): void {
    const { hostScalars } = this.#compiled;
    const values = hostScalars.map(({ attrs }) => (attrs as HostScalarAttrs).evaluate());
    for (const callback of this.#afterScalars) callback();
    if (hostScalars.length === 0) return;
    const wide = this.#backend.precision === "float64";
    const cells = new ArrayBuffer(values.length * (wide ? 8 : 4));
    const view = new DataView(cells);
    values.forEach((value, i) => {
      if (wide) view.setFloat64(8 * i, value, true);
      else if (hostScalars[i].dtype === "f32") view.setFloat32(4 * i, value, true);
      else view.setUint32(4 * i, value, true);
    });
    this.#backend.write(this.#buffers[this.plan.scalarsBuffer], new Uint8Array(cells));
  }

  get isOpen(): boolean {
    return this.#program !== undefined;
  }

  close(): void {
    this.#forget();
    this.#program?.close();
    this.#program = undefined;
    const { leafOf } = this.#compiled;
    this.#buffers.splice(0).forEach((buffer, i) => {
      if (leafOf.get(i)?.op.name !== "variable") this.#backend.free(buffer);
    });
  }
}

/** Refuses a plan that cannot fit, with numbers, before anything is allocated. */
function checkLimits(backend: Backend, { plan, leafOf }: CompiledGraph): void {
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

function checkInput(
  name: string,
  value: InputValue | undefined,
  { shape, dtype }: InputSpec,
  backend: Backend,
): TypedArray {
  const count = elementCount(shape);
  const values = typeof value === "number" ? [value] : value;
  if (!values || values.length !== count) {
    throw new ValueError({
      what: `step input "${name}"`,
      facts: values ? `${values.length} values were given` : "nothing was given",
      expected: `${count} values for ${dtype}${formatShape(shape)}`,
      hint: "A step has fixed shapes; compile another for another batch size",
    });
  }
  return convert(values, dtype, backend, count);
}

/** `values` in the storage type of `dtype`, always a copy-free view where it already is. */
function convert(values: ArrayLike<number>, dtype: DType, { precision }: Backend, count: number): TypedArray {
  const array = allocateArray(dtype, precision, count);
  const fits =
    ArrayBuffer.isView(values) &&
    values.constructor === array.constructor &&
    (values as TypedArray).byteLength % 4 === 0;
  if (fits) return values as TypedArray;
  array.set(values);
  return dtype === "u8" ? new Uint8Array(array.buffer) : array;
}

/** Computes one tensor now (`Tensor.data`). */
export async function evaluate(tensor: Tensor, backend?: Backend): Promise<HostValue> {
  const graph: Graph = { outputs: [{ name: "value", tensor }], stores: [] };
  checkTrace(graph, undefined);
  const home = topological(graph).flatMap(({ op, attrs }) =>
    op.name === "variable" ? ((attrs as VariableAttrs).variable.backend ?? []) : [],
  )[0];
  const device = backend ?? home ?? sharedCpuBackend();
  const runner = await Runner.open(device, {}, compileGraph(graph, device), []);
  try {
    return (await runner.run({})).value;
  } finally {
    runner.close();
  }
}
