/** The workloads by name; each runs in a process of its own. */
import type { Backend } from "@guidance/tensor";
import type { Timing } from "../result.ts";
import { convolution } from "./convolution.ts";
import { alignment, normalization, tiny } from "./functions.ts";
import { matmul } from "./matmul.ts";
import { fcn48, guided, unguided } from "./training.ts";

export const workloads: Readonly<Record<string, (backend: Backend) => Promise<Timing | Timing[]>>> = {
  fcn48,
  guided,
  unguided,
  matmul,
  convolution,
  normalization,
  alignment,
  tiny,
};
