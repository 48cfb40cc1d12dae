/**
 * Optimizer: turns gradients into assigns. `minimize(loss)` is `apply(gradients(loss))`; accumulation,
 * clipping and loss scaling are built between the two. Numbers that change from step to step are host
 * scalars, so the learning rate changes without a recompile.
 */
import { GradientError, TraceError } from "../errors.ts";
import { grad } from "../grad.ts";
import { StateDictError } from "../nn/state-dict.ts";
import { layerOf, withLayer } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { afterScalars, hostScalar, requireTrace } from "../trace.ts";
import { Variable } from "../variable.ts";

/** One gradient per parameter. */
export type Gradients = ReadonlyMap<Variable, Tensor>;

/** Settings of every optimizer. */
export interface OptimizerOptions {
  /** Step size; `optimizer.learningRate` may be set between runs. */
  readonly learningRate: number;
  /** L2 penalty added to the gradient (decoupled in AdamW). */
  readonly weightDecay?: number;
}

/** What optimizers share: `minimize` joins gradients and updates to the trace (torch.optim.Optimizer). */
export abstract class Optimizer {
  readonly parameters: readonly Variable[];
  readonly weightDecay: number;
  /** Read before each run. */
  learningRate: number;
  /**
   * Runs queued so far; saved with a checkpoint. A run whose loss is not finite counts too, although it changes no
   * parameter and no moment: the next run may be queued, and its bias corrections evaluated, before the host can know.
   */
  stepCount = 0;
  readonly #moments = new Map<Variable, Map<string, Variable>>();

  constructor(parameters: readonly Variable[], { learningRate, weightDecay = 0 }: OptimizerOptions) {
    this.parameters = [...new Set(parameters)];
    this.learningRate = learningRate;
    this.weightDecay = weightDecay;
  }

  /** Gradients of a scalar loss with respect to the parameters; a loss that is not finite will change nothing. */
  gradients(loss: Tensor): Gradients {
    const trace = requireTrace("minimize");
    const early = this.parameters.find((parameter) => trace.assigned.has(parameter));
    if (early) {
      throw new GradientError({
        what: "minimize",
        facts: `"${early.name}" was assigned before`,
        expected: "gradients with respect to the values the step began with",
        hint: "Call minimize before assigning to a parameter",
      });
    }
    trace.losses.push(loss);
    const list = grad(loss, this.parameters);
    return new Map(this.parameters.map((parameter, i) => [parameter, list[i]]));
  }

  /** Updates every parameter that has a gradient. */
  apply(gradients: Gradients): void {
    const trace = requireTrace("apply");
    trace.shared(this, "step count", () =>
      afterScalars(() => {
        this.stepCount++;
      }),
    );
    const scalar: HostScalars = (name, evaluate) => trace.shared(this, name, () => hostScalar(name, evaluate));
    for (const [parameter, gradient] of gradients) {
      const other = trace.updaters.get(parameter);
      if (other) {
        throw new TraceError({
          what: "apply",
          facts: `"${parameter.name}" is already updated by ${other === this ? "this optimizer" : "another optimizer"} in this step`,
          expected: "one update of a parameter per step",
          hint: "Sum the losses, or give each optimizer its own parameters",
        });
      }
      trace.updaters.set(parameter, this);
      withLayer(layerOf(parameter.name), () => this.update(parameter, gradient, scalar));
    }
  }

  /** `apply(gradients(loss))`. */
  minimize(loss: Tensor): void {
    this.apply(this.gradients(loss));
  }

  /**
   * The state (moments) by name, e.g. `fc1.weight.exp_avg`. Throws StateDictError where two parameters have one name,
   * since one of them would be lost in a checkpoint.
   */
  stateVariables(): Map<string, Variable> {
    const state = new Map<string, Variable>();
    for (const parameter of this.parameters) {
      for (const [name, variable] of this.moments(parameter)) {
        const key = `${parameter.name}.${name}`;
        if (state.has(key)) {
          throw new StateDictError({
            what: "stateVariables",
            facts: `two parameters are named "${parameter.name}"`,
            expected: "one name for each",
            hint: 'Give each network a role: model.named("student")',
          });
        }
        state.set(key, variable);
      }
    }
    return state;
  }

  /** Frees the device buffers of the state. */
  close(): void {
    for (const moments of this.#moments.values()) for (const variable of moments.values()) variable.close();
  }

  /** Assigns the new value of one parameter and its moments. */
  protected abstract update(parameter: Variable, gradient: Tensor, scalar: HostScalars): void;

  /** Names of the moments each parameter has. */
  protected abstract readonly momentNames: readonly string[];

  /** The moments of a parameter, zero at first. */
  protected moments(parameter: Variable): Map<string, Variable> {
    let moments = this.#moments.get(parameter);
    if (!moments) {
      moments = new Map(
        this.momentNames.map((name) => [
          name,
          new Variable(parameter.shape, 0, { name: `${parameter.name}.${name}`, trainable: false }),
        ]),
      );
      this.#moments.set(parameter, moments);
    }
    return moments;
  }
}

/** A host scalar of the optimizer by name, evaluated in float64 before each run. */
export type HostScalars = (name: string, evaluate: () => number) => Tensor;
