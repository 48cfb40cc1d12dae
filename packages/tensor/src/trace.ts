/**
 * A Trace records what a traced function does besides returning tensors: which Variables it read and
 * assigned, which losses it took gradients of, what must happen on the host at each run. The current
 * value of a Variable is a Tensor, so a read after an assign simply is the assigned tensor.
 */

import type { DType } from "./dtype.ts";
import { TraceError } from "./errors.ts";
import { leaves } from "./ops/index.ts";
import { create, type Tensor } from "./tensor.ts";
import type { Variable } from "./variable.ts";

/** One run of a user's function on symbolic inputs. */
export class Trace {
  /** Value of each Variable now, in program order. */
  readonly #current = new Map<Variable, Tensor>();
  /** Value of each read Variable when the step began. */
  readonly initial = new Map<Variable, Tensor>();
  /** Variables assigned so far. */
  readonly assigned = new Set<Variable>();
  /** Who updates a parameter (an optimizer), so that a second one is refused. */
  readonly updaters = new Map<Variable, object>();
  /** Losses whose finiteness guards every store. */
  readonly losses: Tensor[] = [];
  /** Gradients that were rounded to f16 on their way. */
  readonly halves: Tensor[] = [];
  /** Called once after the host scalars of a run were evaluated. */
  readonly afterScalars: (() => void)[] = [];
  readonly #shared = new Map<object, Map<string, unknown>>();
  #sites = 0;

  /** The Tensor of the current value. */
  read(variable: Variable): Tensor {
    let tensor = this.#current.get(variable);
    if (!tensor) {
      tensor = create(leaves.variable, [], { variable });
      this.#current.set(variable, tensor);
      this.initial.set(variable, tensor);
    }
    return tensor;
  }

  /** The Tensor of the value the step began with. */
  begin(variable: Variable): Tensor {
    this.read(variable);
    return this.initial.get(variable) as Tensor;
  }

  /** Makes `value` what later reads of `variable` in this trace give. */
  assign(variable: Variable, value: Tensor): void {
    this.read(variable);
    this.#current.set(variable, value);
    this.assigned.add(variable);
  }

  /** Last assigned value of every assigned Variable. */
  stores(): { variable: Variable; value: Tensor }[] {
    return [...this.assigned].map((variable) => ({ variable, value: this.read(variable) }));
  }

  /** What `make` gave the first time `owner` asked for `name` in this trace: e.g. a host scalar of an optimizer. */
  shared<T>(owner: object, name: string, make: () => T): T {
    const named = this.#shared.get(owner) ?? new Map<string, unknown>();
    this.#shared.set(owner, named);
    if (!named.has(name)) named.set(name, make());
    return named.get(name) as T;
  }

  /** A number for one random call: the same call gets the same number in every trace. */
  nextSite(): number {
    return this.#sites++;
  }
}

let active: Trace | undefined;

/** The trace under way, if any. */
export function currentTrace(): Trace | undefined {
  return active;
}

/** The running trace, or an error that says what needs one. */
export function requireTrace(what: string): Trace {
  if (!active) {
    throw new TraceError({
      what,
      facts: "it was called outside a traced function",
      expected: "a call inside the function given to compile",
    });
  }
  return active;
}

/** Runs `body` as the traced function of a fresh trace. */
export function runTrace<T>(body: (trace: Trace) => T): { trace: Trace; result: T } {
  if (active)
    throw new TraceError({
      what: "compile",
      facts: "it was called inside a traced function",
      expected: "one trace at a time",
    });
  active = new Trace();
  try {
    const trace = active;
    return { trace, result: body(trace) };
  } finally {
    active = undefined;
  }
}

/** A scalar evaluated on the host in float64 before each run (a learning rate, a bias correction, a counter). */
export function hostScalar(name: string, evaluate: () => number, dtype: DType = "f32"): Tensor {
  return create(leaves.hostScalar, [], { name, dtype, evaluate });
}

/** Registers host work to do once per run of the traced step, after its host scalars were evaluated. */
export function afterScalars(callback: () => void): void {
  requireTrace("afterScalars").afterScalars.push(callback);
}

/** Refuses tensors that read a Variable outside the trace that uses them. */
export function foreignRead(tensor: Tensor): TraceError {
  return new TraceError({
    what: tensor.op.name,
    path: tensor.layer,
    facts: `${tensor} was made outside this traced function`,
    expected: "tensors made inside it, or constants",
    hint: "Read Variables and inputs inside the function given to compile",
    site: tensor.site,
  });
}
