/** What a training tells while it happens. */
import type { Scores, ScoringProgress } from "./evaluate.ts";
import type { Inspection } from "./inspect.ts";
import type { LossValues, TrainingStep } from "./step.ts";

/** One training step as it happened. */
export interface StepEvent extends LossValues {
  readonly arm: string;
  /** Steps done, this one included. */
  readonly step: number;
  readonly totalSteps: number;
  readonly epoch: number;
  readonly learningRate: number;
  /** Seconds this step took. */
  readonly seconds: number;
  /** Seconds it had waited for its batch before. */
  readonly dataSeconds: number;
  /** Of the next step, in mixed precision. */
  readonly lossScale?: number;
  /** Gradients overflowed in half precision: nothing changed. */
  readonly skipped?: boolean;
}

/** Told after a validation. */
export interface ValidationEvent extends Scores {
  readonly arm: string;
  readonly step: number;
  /** Whether the loss is the lowest so far. */
  readonly best: boolean;
}

/** Told after an inspection. */
export interface InspectionEvent extends Inspection {
  readonly arm: string;
  /** Steps done. */
  readonly step: number;
}

/** Told what happens while it happens. */
export interface Observer {
  /** The step is planned: kernels and peak bytes, before the first run. */
  planned?(arm: string, step: TrainingStep): void;
  /** After each step. */ step?(event: StepEvent): void;
  /** After each validation. */ validation?(event: ValidationEvent): void;
  /** After each inspection. */ inspection?(event: InspectionEvent): void;
  /** A checkpoint is about to be written. */
  saving?(): void;
  /** Validation or scoring goes on. */
  scoring?(progress: ScoringProgress): void;
  /** What a user should know. */
  message?(text: string): void;
  /** What went wrong beside the training, which goes on. */
  warning?(text: string): void;
}
