// What the page and its worker tell each other.

export const networks = ["guide", "guided", "unguided"] as const;
export type Network = (typeof networks)[number];

/** What the page asks the worker to train. */
export interface Settings {
  /** Linear layers of each student, and the values in each. */
  readonly layers: number;
  readonly width: number;
  /** Channels of the guide's first stage. */
  readonly guideWidth: number;
  /** Steps that the guide learns alone, and then each student. */
  readonly guideSteps: number;
  readonly steps: number;
  /** Images in a batch. */
  readonly batch: number;
}

/** What the worker tells while it trains. */
export type Message =
  | { readonly kind: "status"; readonly text: string }
  | { readonly kind: "done"; readonly text: string }
  | { readonly kind: "error"; readonly text: string }
  /** Cross-entropy of a batch, after so many steps. */
  | { readonly kind: "loss"; readonly network: Network; readonly step: number; readonly value: number }
  /** Part of the test images that are recognized, 0 to 1. */
  | { readonly kind: "accuracy"; readonly network: Network; readonly value: number };
