/** A function of whole features as compiled Steps, one at a time. */
import { type Backend, compile, f32, type HostValue, type Step, type Tensor } from "@guidance/tensor";
import { type PlannedStep, planStep } from "../train/planning.ts";
import { explainLimit, FEWER_SAMPLES } from "./limits.ts";
import type { FeatureMatrix } from "./principal.ts";

type Shapes = readonly (readonly number[])[];
type Inputs = Record<string, ReturnType<typeof f32>>;

const explain = explainLimit(FEWER_SAMPLES);

/**
 * It is compiled again whenever shapes change, and what was compiled before is closed, so that the device holds one of
 * them: who has many features sorts them by shape.
 */
export class FeatureFunction {
  readonly #backend: Backend;
  readonly #function: (...features: Tensor[]) => Tensor;
  #open: { readonly shapes: string; readonly step: Step<Inputs, { value: Tensor }> } | undefined;

  constructor(backend: Backend, body: (...features: Tensor[]) => Tensor) {
    this.#backend = backend;
    this.#function = body;
  }

  /** What it would take; throws LimitError where features are too large for any buffer. */
  plan(shapes: Shapes): Promise<PlannedStep> {
    return planStep(this.#backend, inputsOf(shapes), this.#trace).catch(explain);
  }

  async run(...features: readonly FeatureMatrix[]): Promise<HostValue> {
    const shapes = features.map(({ shape }) => shape);
    const key = shapes.join(" ");
    if (this.#open?.shapes !== key) {
      this.close();
      const step = await compile(this.#backend, inputsOf(shapes), this.#trace).catch(explain);
      this.#open = { shapes: key, step };
    }
    const { value } = await this.#open.step(Object.fromEntries(features.map(({ data }, i) => [String(i), data])));
    return value;
  }

  close(): void {
    this.#open?.step.close();
    this.#open = undefined;
  }

  readonly #trace = (inputs: { readonly [name: string]: Tensor }) => ({
    value: this.#function(...Object.values(inputs)),
  });
}

const inputsOf = (shapes: Shapes): Inputs => Object.fromEntries(shapes.map((shape, i) => [String(i), f32(...shape)]));
