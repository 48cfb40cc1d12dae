/** Evaluation: mean loss, top-1 and top-5 of a network in eval mode over a data set; padding and bad images are masked. */
import {
  type Backend,
  compile,
  crossEntropyPerSample,
  DeviceLostError,
  f32,
  i32,
  type nn,
  type Tensor,
  topKCorrect,
  where,
} from "@guidance/tensor";
import { DataError } from "../data/errors.ts";
import type { ImageSource } from "../data/source.ts";
import { callNetwork } from "../models/network.ts";
import { InterruptedError } from "./errors.ts";
import { type ImageInput, imageSpec, seenImages } from "./image-input.ts";
import { inEvaluation } from "./modes.ts";
import { type PlannedStep, planStep } from "./planning.ts";
import { eventLoopTurn } from "./turn.ts";

/** How well a network does on labelled images. */
export interface Scores {
  /** Mean cross-entropy per image. */
  readonly loss: number;
  /** Part of images whose label has the largest logit, 0 to 1. */
  readonly top1: number;
  /** Part of images whose label is among the five largest logits. */
  readonly top5: number;
  /** Images that were scored: all but bad ones that are skipped. */
  readonly images: number;
}

/** Test scores of one trained network. */
export interface ArmResult {
  readonly arm: "guided" | "unguided";
  readonly steps: number;
  readonly secondsPerStep: number;
  /** With the last weights. */
  readonly test: Scores;
  /** With the weights of the lowest validation loss; null where no validation loss was finite. */
  readonly testAtBest: Scores | null;
  readonly bestStep: number | null;
}

/** Who is told of scoring, and who may stop it. */
export interface ScoringOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told after each batch. */
  readonly progress?: ((scoring: ScoringProgress) => void) | undefined;
}

/** How far a scoring is. */
export interface ScoringProgress {
  /** Of the images. */
  readonly name: string;
  readonly done: number;
  readonly total: number;
}

/** A compiled evaluation of one network; closed when the run ends. */
export interface Evaluator {
  /** Bytes of the plan while it runs. */
  readonly peakBytes: number;
  /** Throws InterruptedError when told to stop. */
  run(images: ImageSource, options?: ScoringOptions): Promise<Scores>;
  /** Frees the step's buffers. */
  close(): void;
}

/** What an evaluation in batches of `batchSize` is compiled from. */
function evaluation(model: nn.Module, input: ImageInput, batchSize: number) {
  const inputs = { images: imageSpec(input, batchSize), labels: i32(batchSize), mask: f32(batchSize) };
  const trace = ({ images, labels, mask }: { readonly [K in keyof typeof inputs]: Tensor }) => {
    const logits = callNetwork(model, seenImages(input, images));
    const real = mask.greater(0);
    const correct = (k: number) => topKCorrect(logits, labels, k).and(real).cast("f32").sum();
    return { loss: where(real, crossEntropyPerSample(logits, labels), 0).sum(), top1: correct(1), top5: correct(5) };
  };
  return { inputs, trace };
}

/** The plan of an evaluation of `model`; nothing is allocated. */
export function planEvaluation(
  backend: Backend,
  model: nn.Module,
  input: ImageInput,
  batchSize: number,
): Promise<PlannedStep> {
  const { inputs, trace } = evaluation(model, input, batchSize);
  return inEvaluation(model, () => planStep(backend, inputs, trace));
}

/** Compiles the evaluation of `model`; each layer's mode is left as it was. */
export async function compileEvaluation(
  backend: Backend,
  model: nn.Module,
  input: ImageInput,
  batchSize: number,
): Promise<Evaluator> {
  const { inputs, trace } = evaluation(model, input, batchSize);
  const step = await inEvaluation(model, () => compile(backend, inputs, trace));

  const run = async (source: ImageSource, { signal, progress }: ScoringOptions = {}): Promise<Scores> => {
    const total = { loss: 0, top1: 0, top5: 0 };
    let scored = 0;
    let seen = 0;
    const batches = source.batches({ batchSize, lastBatch: "pad", shuffle: false });
    for await (const { images, labels, mask, count } of batches) {
      await eventLoopTurn();
      if (signal?.aborted) throw new InterruptedError({ what: `scoring on "${source.name}"`, facts: "stopped" });
      const sums = await step({ images, labels, mask }).catch((error: unknown) => {
        if (!(error instanceof DeviceLostError)) throw error;
        throw new DeviceLostError({ ...error.parts, what: `scoring on "${source.name}"` });
      });
      total.loss += sums.loss.item();
      total.top1 += sums.top1.item();
      total.top5 += sums.top5.item();
      scored += count;
      seen = Math.min(source.count, seen + batchSize);
      progress?.({ name: source.name, done: seen, total: source.count });
    }
    if (scored === 0) {
      throw new DataError({
        what: `scoring on "${source.name}"`,
        facts: `none of its ${source.count} images can be used`,
        expected: "some good images",
        hint: "Check that the files are whole, or let the first one fail to see the reason",
      });
    }
    return { loss: total.loss / scored, top1: total.top1 / scored, top5: total.top5 / scored, images: scored };
  };
  return { peakBytes: step.plan.memory.peak, run, close: () => step.close() };
}
