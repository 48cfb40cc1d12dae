/**
 * compile traces a function once and returns a Step: a planned program that runs any number of times. A
 * run writes the inputs and host scalars, runs the whole plan and resolves with the declared outputs.
 */
import type { Backend } from "./backend/backend.ts";
import { checkOutputs, checkTrace, type Graph } from "./compile/graph.ts";
import { type CompileOptions, compileGraph } from "./compile/pipeline.ts";
import type { Plan } from "./compile/plan.ts";
import { TraceError } from "./errors.ts";
import type { HostValue } from "./host-value.ts";
import { reportIfDropped } from "./leaks.ts";
import { leaves } from "./ops/index.ts";
import type { InputAttrs } from "./ops/leaf.ts";
import { Runner } from "./runner.ts";
import { layerOf, withLayer } from "./scope.ts";
import type { Inputs, InputValue } from "./step-inputs.ts";
import { create, Operand, type Tensor } from "./tensor.ts";
import { runTrace, type Trace } from "./trace.ts";
import { where } from "./values.ts";

export { HostValue } from "./host-value.ts";
export { f32, type InputSpec, type InputValue, i32, u8, u32 } from "./step-inputs.ts";

type Outputs = Readonly<Record<string, Operand>>;

/** A compiled step: call it with a batch. */
export interface Step<I extends Inputs, O extends Outputs> {
  (batch: { readonly [K in keyof I]: InputValue }): Promise<{ readonly [K in keyof O]: HostValue }>;
  /** Kernels, buffers and bytes; known before the first run. */
  readonly plan: Plan;
  readonly inputs: I;
  /** Frees the step's buffers, never the Variables. */
  close(): void;
  /** The same as close. */
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
  checkOutputs("compile", result);
  checkTrace(result, trace);
  const compiled = compileGraph(result, backend, options);
  const runner = await Runner.open(backend, compiled, { inputs, afterScalars: trace.afterScalars });
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
