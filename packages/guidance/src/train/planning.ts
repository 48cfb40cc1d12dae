/**
 * A step's plan without the step: traced and placed for a backend, with nothing allocated there and no Variable
 * bound, so that a run can be refused before any of it exists.
 */
import {
  type Backend,
  BackendError,
  compile,
  currentTrace,
  elementBytes,
  type InputSpec,
  type Operand,
  type Plan,
  type Tensor,
  type Variable,
} from "@guidance/tensor";

/** A step that was planned and not prepared. */
export interface PlannedStep {
  readonly plan: Plan;
  /** The Variables it uses, which other steps may share. */
  readonly variables: ReadonlySet<Variable>;
}

type Inputs = Readonly<Record<string, InputSpec>>;

/** The plan of `compile(backend, inputs, fn)`; throws as that does, except that no budget is asked for. */
export async function planStep<I extends Inputs>(
  backend: Backend,
  inputs: I,
  fn: (inputs: { readonly [K in keyof I]: Tensor }) => Readonly<Record<string, Operand>>,
): Promise<PlannedStep> {
  const touched: Variable[] = [];
  const variables = new Set<Variable>();
  try {
    const step = await compile(planner(backend), inputs, (symbols) => {
      const outputs = fn(symbols);
      for (const variable of currentTrace()?.initial.keys() ?? []) {
        // values are not needed, and those of a large network take long to make
        variable.bind = () => {
          variables.add(variable);
          return { bytes: 0, label: variable.name };
        };
        touched.push(variable);
      }
      return outputs;
    });
    step.close();
    return { plan: step.plan, variables };
  } finally {
    for (const variable of touched) Reflect.deleteProperty(variable, "bind");
  }
}

/** Bytes that steps take which are there at the same time, with the Variables of `held` whether they use them or not. */
export function peakTogether(backend: Backend, steps: readonly PlannedStep[], held: Iterable<Variable> = []): number {
  const variables = new Set([...held, ...steps.flatMap((step) => [...step.variables])]);
  const own = steps.reduce((sum, { plan: { memory } }) => sum + memory.peak - memory.variables, 0);
  return [...variables].reduce((sum, { size, dtype }) => sum + size * elementBytes(dtype, backend.precision), own);
}

/** Lowers kernels as `backend` does, and makes nothing. */
function planner(backend: Backend): Backend {
  const unable = async (): Promise<never> => {
    throw new BackendError({ what: "planning", facts: "nothing runs while a step is only planned" });
  };
  return {
    name: backend.name,
    precision: backend.precision,
    limits: { ...backend.limits, budgetBytes: Infinity },
    liveBytes: 0,
    lower: (kernel, overwrites) => backend.lower(kernel, overwrites),
    allocate: (bytes, label) => ({ bytes, label }),
    free: () => {},
    write: () => {},
    read: unable,
    begin: () => {},
    prepare: async () => ({ close: () => {} }),
    run: unable,
    onClose: () => () => {},
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
