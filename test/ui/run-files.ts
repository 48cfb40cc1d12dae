// A run as its files, without the training: curves of the usual shape, as many steps as a test likes, at once.

import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type JsonObject, MetricsWriter, type PairNames } from "@guidance/guidance";

const LAYERS = 12;
const STEPS = 300;
const pairs: PairNames[] = Array.from({ length: LAYERS }, (_, i) => ({
  student: `layer ${i + 1}`,
  guide: `guide.${i}`,
}));

const arms = ["guided", "unguided"] as const;

export class RunFiles {
  readonly #folder: string;
  /** How fast it learns. */
  readonly #pace: number;

  /** Begins the run `name` in `root`. */
  constructor(root: string, name: string, settings: Readonly<Record<string, unknown>>) {
    this.#folder = join(root, name);
    this.#pace = settings.alpha === 1 ? 0.6 : 1;
    for (const arm of arms) mkdirSync(join(this.#folder, arm), { recursive: true });
    const config = { dataset: "mnist", batchSize: 128, seed: 0, inspectEvery: 20, baseline: true, ...settings };
    writeFileSync(join(this.#folder, "config.json"), JSON.stringify(config));
    writeFileSync(join(this.#folder, "environment.json"), JSON.stringify({ starts: [{ adapter: "a device" }] }));
    this.#writer("guided", (writer) => writer.write({ kind: "layers", arm: "guided", layers: pairs }));
  }

  /** Adds steps of both students. */
  write(from: number, to: number): this {
    for (const arm of arms) {
      this.#writer(arm, (writer) => {
        for (let step = from; step <= to; step++) {
          for (const record of records(arm, step, this.#pace)) writer.write(record);
        }
      });
    }
    return this;
  }

  /** Leaves the first half of a line. */
  tear(): void {
    appendFileSync(join(this.#folder, "guided", "metrics.jsonl"), '{"kind":"step","arm":"gui');
  }

  finish(): this {
    const summary = { arms: arms.map((arm) => ({ arm, test: { top1: accuracy(arm, STEPS) } })) };
    writeFileSync(join(this.#folder, "summary.json"), JSON.stringify(summary));
    return this;
  }

  #writer(arm: (typeof arms)[number], use: (writer: MetricsWriter) => void): void {
    const writer = new MetricsWriter(join(this.#folder, arm, "metrics.jsonl"));
    use(writer);
    writer.close();
  }
}

/** Between 0 and 1, always the same. */
const noise = (seed: number): number => Math.abs(Math.sin(seed * 12.9898) * 43758.5453) % 1;

const accuracy = (arm: string, step: number): number => (arm === "guided" ? 0.6 : 0.2) * (1 - Math.exp(-step / 100));

function* records(arm: (typeof arms)[number], step: number, pace: number): Generator<JsonObject> {
  const isGuided = arm === "guided";
  const crossEntropy =
    2.3 * Math.exp((-step * pace) / (isGuided ? 250 : 1500)) + 0.2 * noise(step + (isGuided ? 0 : 0.5));
  const similarity = (layer: number) =>
    (isGuided ? 1 - Math.exp((-step * pace) / (20 + 12 * layer)) : 0.6 / (layer + 1)) *
    (0.85 + 0.1 * noise(step * LAYERS + layer));
  const similarities = pairs.map((_, layer) => Number(similarity(layer).toFixed(5)));
  const dissimilarity = isGuided ? similarities.reduce((sum, value) => sum + 1 - value, 0) : 0;
  yield {
    kind: "step",
    arm,
    step,
    totalSteps: STEPS,
    epoch: Math.floor(step / 100),
    learningRate: 1e-3 * 0.1 ** Math.floor(step / 100),
    seconds: (isGuided ? 0.07 : 0.04) * (1 + 0.2 * noise(step)),
    dataSeconds: 0.001,
    loss: crossEntropy + 3 * dissimilarity,
    crossEntropy,
    dissimilarity,
    pairs: isGuided ? LAYERS : 0,
    similarities: isGuided ? similarities : [],
  };
  if (step === 1 || step % 20 === 0) {
    const gradients = Array.from({ length: 2 * LAYERS }, (_, i) => ({
      layer: `layer ${i + 1}`,
      norm: 10 ** (2 - i / 6 - step / 200 + 0.3 * noise(step + i)),
    }));
    const measured = pairs.map((pair, i) => ({ ...pair, similarity: similarities[i] }));
    yield { kind: "inspection", arm, step, similarities: measured, gradients };
  }
  if (step % 50 === 0) {
    const loss = crossEntropy + 0.1;
    yield { kind: "validation", arm, step, loss, top1: accuracy(arm, step * pace), top5: 0.9, best: true };
  }
}
