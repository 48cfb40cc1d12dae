// The frozen guide of trajectory.json. Its features depend on the batch and on its mode alone, so they are computed once a
// batch and shared by all runs that do not compute the guide inside their steps. They are computed in float64: what a
// float32 backend then adds is the student's rounding. Its guide is checked by resnet18.json and by the runs with a guide
// inside their steps.

import { type Feature, observe } from "@guidance/guidance";
import { compile, cpuBackend, f32, type nn } from "@guidance/tensor";
import type { FixtureTensor } from "./fixtures.ts";
import { norm } from "./oracle-compare.ts";
import { makeResNet18 } from "./oracle-models.ts";
import { fixture, type GuideMode, images, type Values } from "./oracle-trajectory-fixture.ts";

/** A guide's features of one batch, and its running statistics after that batch alone. */
export interface Recording {
  readonly features: readonly (FixtureTensor<ArrayLike<number>> & Pick<Feature, "name" | "path">)[];
  readonly running: ReadonlyMap<string, readonly number[]>;
}

/** A model's running means and variances by name. */
export function runningStatistics(model: nn.Module<unknown>) {
  return model.namedVariables().filter(([name]) => /\.running_(mean|var)$/.test(name));
}

/** As batch norms begin. */
const initialStatistic = (name: string) => (name.endsWith("running_var") ? 1 : 0);

/** As torch's batch norms move them. */
const momentum = 0.1;

/** The frozen guide, which computes each batch once. */
export class RecordedGuide {
  readonly #backend = cpuBackend({ precision: "float64" });
  readonly #model = makeResNet18(fixture.guide.weights);
  readonly #recordings = new Map<GuideMode, Promise<Recording[]>>();

  /** One recording a batch. */
  record(mode: GuideMode): Promise<Recording[]> {
    const recordings = this.#recordings.get(mode) ?? this.#record(mode);
    this.#recordings.set(mode, recordings);
    return recordings;
  }

  async #record(mode: GuideMode): Promise<Recording[]> {
    const model = this.#model.train(mode === "train");
    const found: Feature[] = [];
    await using step = await compile(this.#backend, { x: f32(...images[0].shape) }, ({ x }) => {
      found.push(...observe(model, x).features);
      return Object.fromEntries(found.map(({ name, tensor }) => [name, tensor]));
    });
    const recordings: Recording[] = [];
    for (const { data } of images) {
      for (const [name, variable] of runningStatistics(model)) {
        variable.write(new Float64Array(variable.size).fill(initialStatistic(name)));
      }
      const outputs = await step({ x: data });
      const running = new Map<string, readonly number[]>();
      for (const [name, variable] of runningStatistics(model)) running.set(name, [...(await variable.read())]);
      recordings.push({ features: found.map(({ name, path }) => ({ name, path, ...outputs[name] })), running });
    }
    return recordings;
  }

  /** L2 norms of the running statistics after `steps` batches in train mode: a moving average of what each batch gives. */
  async runningL2(steps: number): Promise<Values> {
    const recordings = await this.record("train");
    const entries = [...recordings[0].running].map(([name, { length }]) => {
      const initial = initialStatistic(name);
      const values = new Float64Array(length).fill(initial);
      for (let step = 0; step < steps; step++) {
        const after = recordings[step % recordings.length].running.get(name) ?? [];
        values.forEach((value, i) => {
          const batch = (after[i] - (1 - momentum) * initial) / momentum;
          values[i] = (1 - momentum) * value + momentum * batch;
        });
      }
      return [name, norm(values)] as const;
    });
    return Object.fromEntries(entries);
  }

  close(): void {
    this.#model.close();
  }
}
