/**
 * Fit: the training loop of one arm. Batches in an order that follows from the seed, validation, best and
 * last checkpoints, metrics; it stops with a saved state when told to and with a diagnosis when a loss or a
 * weight is not finite.
 */
import { type Backend, DeviceLostError, type Generator, LimitError } from "@guidance/tensor";
import { batchCount } from "../data/batches.ts";
import type { SourceSplits } from "../data/source.ts";
import type { JsonObject } from "../run/json.ts";
import { listNames } from "../run/tensors.ts";
import { Checkpoints, topName } from "./checkpoints.ts";
import type { TrainConfig } from "./config.ts";
import { diagnose } from "./diagnose.ts";
import { InterruptedError, NotFiniteError } from "./errors.ts";
import { compileEvaluation, type Evaluator } from "./evaluate.ts";
import { compileInspection, type Inspector } from "./inspect.ts";
import type { Observer } from "./observer.ts";
import { type RateConfig, rateSchedule } from "./rate.ts";
import { brokenTensors, type Progress } from "./state.ts";
import { type BatchValues, compileTrainingStep, partOf, type TrainingStep } from "./step.ts";
import type { TrainingTask } from "./task.ts";
import { eventLoopTurn } from "./turn.ts";

/** One network to train, and where it stands. */
export interface FitOptions {
  readonly arm: string;
  readonly backend: Backend;
  readonly task: TrainingTask;
  /** Sources of the dropout masks of the task's networks. */
  readonly generators: readonly Generator[];
  readonly splits: SourceSplits;
  readonly config: Pick<
    TrainConfig,
    | "seed"
    | "batchSize"
    | "steps"
    | "epochs"
    | "lastBatch"
    | "validateEvery"
    | "validateBeforeTraining"
    | "inspectEvery"
    | "keepTop"
  > &
    RateConfig;
  /** Folder for checkpoints; absent: none are written and nothing is validated. */
  readonly folder?: string;
  /** Whether the network is validated, where there is a folder; true unless given. */
  readonly validate?: boolean;
  /** Stored with checkpoints. */
  readonly description?: JsonObject;
  readonly start?: Progress;
  readonly observer?: Observer;
  readonly signal?: AbortSignal | undefined;
}

const LOSS_HINT = "Lower the learning rate, or look at the data of this batch";
const HALF_HINT =
  "Values above 65504 overflow in half precision: compute in float32, lower the learning rate, or look at the data of this batch";
const GRADIENT_HINT =
  "Look for a layer whose gradient is not finite where its value is (sqrt or a power at 0), or lower the learning rate";

/** Loss scale below which half precision is not what makes gradients overflow: its smallest value. */
const SMALLEST_SCALE = 2 ** -24;

/** Images per evaluation batch. */
export const EVALUATION_BATCH = 250;

/** Steps of a whole run. */
export function totalSteps({ steps, epochs, batchSize, lastBatch }: FitOptions["config"], trainCount: number): number {
  return steps ?? (epochs ?? 0) * batchCount(trainCount, { batchSize, lastBatch });
}

/** Trains one network to its last step; throws InterruptedError, NotFiniteError or DeviceLostError. */
export async function fit(options: FitOptions): Promise<Progress> {
  const loop = new Loop(options);
  try {
    return await loop.run();
  } catch (error) {
    throw error instanceof DeviceLostError ? loop.lost(error) : error;
  } finally {
    loop.close();
  }
}

class Loop {
  readonly #options: FitOptions;
  /** By batch size; those under guidance are closed when the guide is disconnected. */
  readonly #steps = new Map<number, TrainingStep>();
  #guided: boolean;
  readonly #perEpoch: number;
  readonly #total: number;
  readonly #rate: (step: number) => number;
  #evaluator: Evaluator | undefined;
  #inspector: Inspector | undefined;
  #progress: Progress;
  /** What is being done, for messages. */
  #doing = "before the first step";
  /** None where nothing is saved. */
  readonly #checkpoints: Checkpoints | undefined;

  constructor(options: FitOptions) {
    const { config, splits } = options;
    this.#options = options;
    this.#perEpoch = batchCount(splits.train.count, config);
    this.#total = totalSteps(config, splits.train.count);
    this.#rate = rateSchedule(config, this.#perEpoch, this.#total);
    this.#progress = options.start ?? { step: 0, best: null, top: [], seconds: 0 };
    const { arm, folder, task, generators, description = {}, start } = options;
    const trained = { model: task.model, optimizer: task.optimizer, scaler: task.scaler, generators };
    const { keepTop } = config;
    this.#checkpoints =
      folder === undefined
        ? undefined
        : new Checkpoints({ arm, folder, trained, description, keepTop, savedStep: start?.step });
    this.#guided = this.#underGuidance();
  }

  /** Whether the next step is one under guidance. */
  #underGuidance(): boolean {
    const { guidance } = this.#options.task;
    return guidance !== undefined && this.#progress.step < (guidance.steps ?? Infinity);
  }

  async run(): Promise<Progress> {
    const { config, task, splits, folder, validate = true } = this.#options;
    await this.#stepFor(config.batchSize);
    if (folder && validate) {
      this.#evaluator = await compileEvaluation(
        this.#options.backend,
        task.model,
        task,
        Math.min(EVALUATION_BATCH, splits.validation.count),
      );
      if (config.validateBeforeTraining && this.#progress.step === 0) await this.#validate();
    }
    while (this.#progress.step < this.#total) await this.#epoch(Math.floor(this.#progress.step / this.#perEpoch));
    await this.#saveLast();
    return this.#progress;
  }

  async #epoch(epoch: number): Promise<void> {
    const { config, splits } = this.#options;
    const start = this.#progress.step - epoch * this.#perEpoch;
    const order = {
      batchSize: config.batchSize,
      lastBatch: config.lastBatch,
      shuffle: true,
      seed: config.seed,
      epoch,
      start,
    } as const;
    let asked = performance.now();
    for await (const batch of splits.train.batches(order)) {
      await this.#train(batch, epoch, (performance.now() - asked) / 1000);
      await eventLoopTurn();
      const { step } = this.#progress;
      const due =
        step === this.#total ||
        step % this.#perEpoch === 0 ||
        (config.validateEvery !== null && step % config.validateEvery === 0);
      if (due) await this.#validate();
      await this.#stopIfAsked();
      if (step === this.#total) return;
      asked = performance.now();
    }
  }

  async #train(batch: BatchValues, epoch: number, dataSeconds: number): Promise<void> {
    const { arm, observer, task, generators } = this.#options;
    const counters = generators.map(({ counter }) => counter);
    const step = this.#progress.step + 1;
    this.#doing = `step ${step}`;
    const training = await this.#stepFor(batch.labels.length);
    task.optimizer.learningRate = this.#rate(this.#progress.step);
    const started = performance.now();
    const values = await training.run(batch);
    const seconds = (performance.now() - started) / 1000;
    const { badPart, skipped, ...losses } = values;
    if (badPart !== undefined) {
      // the diagnosis draws the same random numbers
      generators.forEach((generator, i) => {
        if (generator.counter > counters[i]) generator.counter = counters[i] + badPart;
      });
      await this.#failLoss(step, losses.loss, partOf(batch, badPart, task.parts ?? 1));
    }
    this.#progress = { ...this.#progress, step, seconds: this.#progress.seconds + seconds };
    observer?.step?.({
      arm,
      step,
      totalSteps: this.#total,
      epoch,
      learningRate: task.optimizer.learningRate,
      seconds,
      dataSeconds,
      ...losses,
      ...(task.scaler ? { lossScale: task.scaler.scale } : {}),
      ...(skipped ? { skipped } : {}),
    });
    if (skipped) this.#rescaled(step);
    if (this.#inspectsAfter(step)) await this.#inspect(batch);
  }

  /** Whether a step was with a short last batch of an epoch. */
  #isShort(step: number): boolean {
    const { config, splits } = this.#options;
    return step % this.#perEpoch === 0 && config.lastBatch === "keep" && splits.train.count % config.batchSize > 0;
  }

  /** An inspection is of a whole batch: that of a short one is made after the next. */
  #inspectsAfter(step: number): boolean {
    const { inspectEvery } = this.#options.config;
    if (inspectEvery === null || this.#isShort(step)) return false;
    const due = (at: number) => at === 1 || (at > 0 && at % inspectEvery === 0);
    return due(step) || (this.#isShort(step - 1) && due(step - 1));
  }

  /** Looks at the batch of the step just done, with the weights it left. */
  async #inspect(batch: BatchValues): Promise<void> {
    const { arm, backend, config, generators, observer } = this.#options;
    const { step } = this.#progress;
    this.#doing = `inspection after step ${step}`;
    this.#inspector ??= await compileInspection(backend, this.#task, config.batchSize, generators);
    observer?.inspection?.({ arm, step, ...(await this.#inspector.run(batch)) });
  }

  /** A step without effect, since gradients overflowed in half precision. */
  #rescaled(step: number): void {
    const { arm, task, observer } = this.#options;
    const scale = task.scaler?.scale ?? 1;
    if (scale < SMALLEST_SCALE)
      this.#fail(step, "gradients are not finite, however small the loss is scaled", GRADIENT_HINT);
    observer?.message?.(`${arm}: step ${step} changed nothing, its gradients overflowed; loss scale now ${scale}`);
  }

  async #failLoss(step: number, loss: number, batch: BatchValues): Promise<never> {
    const { backend, task, folder } = this.#options;
    const found = await diagnose(backend, this.#task, batch).catch((error: unknown) => {
      if (error instanceof LimitError) return null;
      throw error;
    });
    const hint = task.scaler ? HALF_HINT : LOSS_HINT;
    if (found === null) this.#fail(step, `the loss is ${loss}; there is no memory left to find its layer`, hint);
    const where = found
      ? `the first layer with values that are not finite is "${found.layer}" (${found.pass})`
      : "every layer is finite, only the loss is not";
    // a gradient that is not finite shows one step later, when its loss was finite
    const broken = folder ? await brokenTensors(task) : [];
    const before = broken.length > 0 ? `; before this step these were not finite already: ${listNames(broken)}` : "";
    return this.#fail(step, `the loss is ${loss}; ${where}${before}`, broken.length > 0 ? GRADIENT_HINT : hint);
  }

  #fail(step: number, facts: string, hint: string): never {
    const { arm } = this.#options;
    // the weights that led here are no better than those saved before
    const kept = this.#checkpoints?.standing ?? "";
    throw new NotFiniteError({ what: `training ${arm}, step ${step}`, facts: `${facts}${kept}`, hint });
  }

  async #validate(): Promise<void> {
    const { arm, splits, observer } = this.#options;
    if (!this.#evaluator) return;
    this.#doing = `validation after step ${this.#progress.step}`;
    const scores = await this.#evaluator.run(splits.validation, { progress: observer?.scoring });
    await this.#checkTensors();
    const { step, best, top } = this.#progress;
    const { loss } = scores;
    const improved = loss < (best?.loss ?? Infinity);
    const ranked = this.#checkpoints?.rank(top, { step, loss }) ?? [];
    this.#progress = { ...this.#progress, top: ranked, ...(improved && { best: { step, loss } }) };
    observer?.validation?.({ arm, step, ...scores, best: improved });
    const isTop = ranked.some((each) => each.step === step);
    await this.#save([...(isTop ? [topName(step)] : []), ...(improved ? ["best"] : []), "last"]);
  }

  async #stopIfAsked(): Promise<void> {
    const { signal, folder, arm } = this.#options;
    if (!signal?.aborted) return;
    await this.#saveLast();
    const { step } = this.#progress;
    throw new InterruptedError({
      what: `training ${arm}`,
      facts: `stopped after step ${step} of ${this.#total}${folder ? `, saved in "${folder}"` : ""}`,
    });
  }

  /** Where what is to be saved is not finite the run ends, and the checkpoint before it stands. */
  async #checkTensors(): Promise<void> {
    this.#doing = `saving after step ${this.#progress.step}`;
    const broken = await brokenTensors(this.#options.task);
    if (broken.length === 0) return;
    const facts = `the loss was finite, and its update left values that are not in ${listNames(broken)}`;
    this.#fail(this.#progress.step, facts, GRADIENT_HINT);
  }

  async #save(names: readonly string[]): Promise<void> {
    this.#options.observer?.saving?.();
    await this.#checkpoints?.save(names, this.#progress);
  }

  /** Saves where the run is, unless a validation just did. */
  async #saveLast(): Promise<void> {
    if (!this.#checkpoints || this.#checkpoints.savedStep === this.#progress.step) return;
    await this.#checkTensors();
    await this.#save(["last"]);
  }

  /** The compiled step for a batch size: one for whole batches, one for a kept short one. */
  async #stepFor(batchSize: number): Promise<TrainingStep> {
    const { backend, arm, observer } = this.#options;
    if (this.#guided !== this.#underGuidance()) {
      this.#guided = false;
      this.#closeSteps();
      observer?.message?.(`${arm}: goes on without guide after step ${this.#progress.step}`);
    }
    let step = this.#steps.get(batchSize);
    if (!step) {
      step = await compileTrainingStep(backend, this.#task, batchSize);
      this.#steps.set(batchSize, step);
      observer?.planned?.(arm, step);
    }
    return step;
  }

  /** What the next step trains. */
  get #task(): TrainingTask {
    const { task } = this.#options;
    return this.#guided ? task : { ...task, guidance: undefined, watched: task.guidance ?? task.watched };
  }

  #closeSteps(): void {
    for (const step of this.#steps.values()) step.close();
    this.#steps.clear();
    this.#inspector?.close();
    this.#inspector = undefined;
  }

  /** A lost device as the error of the run: what was being done, and which checkpoint stands. */
  lost({ parts }: DeviceLostError): DeviceLostError {
    const { arm } = this.#options;
    const kept = this.#checkpoints && (this.#checkpoints.standing || "; there is no checkpoint yet");
    return new DeviceLostError({
      ...parts,
      what: `training ${arm}, ${this.#doing}`,
      facts: `${parts.facts}${kept ?? ""}`,
    });
  }

  close(): void {
    this.#closeSteps();
    this.#evaluator?.close();
  }
}
