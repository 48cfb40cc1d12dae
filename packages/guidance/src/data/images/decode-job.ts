/** What crosses between the training thread and the threads that decode: plain data. */

import type { DrawKey } from "./random-crop.ts";
import type { ImageTransform } from "./transform.ts";

/** One image to decode and transform. */
export interface DecodeJob {
  readonly id: number;
  readonly bytes: Uint8Array;
  /** Where it came from, for messages. */
  readonly path: string;
  readonly transform: ImageTransform;
  readonly key: DrawKey;
}

/** What became of a job: an image of shape [3, size, size], a reason why it is bad, or an error in the code itself. */
export type DecodeReply =
  | { readonly id: number; readonly image: Uint8Array }
  | { readonly id: number; readonly bad: string }
  | { readonly id: number; readonly error: string };
