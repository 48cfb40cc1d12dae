/** What a training step is of. */
import type { nn, optim } from "@guidance/tensor";
import type { Forwards, GuideInput } from "../method/loss.ts";
import type { Similarity } from "../method/similarity.ts";
import type { ImageInput } from "./image-input.ts";

/** What steers the student. */
export interface Guidance {
  readonly guide: nn.Module;
  readonly similarity: Similarity;
  /** Weight of the similarity term, read before each step. */
  readonly alpha: () => number;
  readonly forwards: Forwards;
  /** What the guide sees; the images unless given. */
  readonly guideInput?: GuideInput;
  /** Steps after which the student goes on alone; all unless given. */
  readonly steps?: number;
}

/** A network to train, its optimizer, and what steers it. */
export interface TrainingTask extends ImageInput {
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer;
  /** Absent: plain cross-entropy. */
  readonly guidance?: Guidance | undefined;
  /** A guide that does not steer, only inspections compare with it. */
  readonly watched?: Guidance | undefined;
  /** Equal parts in which a batch is computed; 1 unless given. */
  readonly parts?: number;
  /** Largest norm of all gradients of a batch together; absent or null: any. */
  readonly clipNorm?: number | null;
  /** Part of each target that is spread over all classes; 0 unless given. */
  readonly labelSmoothing?: number;
  /** Of a network whose gradients are stored in half precision. */
  readonly scaler?: optim.LossScaler | undefined;
}
