/** Whether a comparison of whole features fits device and host, known before anything runs. */
import { type Backend, elementBytes, elementCount, formatBytes, LimitError, type nn } from "@guidance/tensor";
import { type PlannedStep, peakTogether } from "../train/planning.ts";

type Shape = readonly number[];

/** A step of a comparison. */
export interface PlannedPart {
  /** What it is of, in plural. */
  readonly of: string;
  readonly step: PlannedStep;
  /** What makes it smaller. */
  readonly hint: string;
}

/** Throws LimitError where one of the steps, with the weights of all networks beside it, is above the budget. */
export function checkDevice(backend: Backend, models: Iterable<nn.Module>, steps: readonly PlannedPart[]): void {
  const { budgetBytes } = backend.limits;
  const weights = [...models].flatMap((model) => model.namedVariables().map(([, variable]) => variable));
  for (const { of, step, hint } of steps) {
    const needed = peakTogether(backend, [step], weights);
    if (needed <= budgetBytes) continue;
    const facts = `${of} need ${formatBytes(needed)} and the budget of ${backend.name} is ${formatBytes(budgetBytes)}`;
    throw new LimitError({ what: "compare", facts, hint });
  }
}

/**
 * Layers in the order of their shapes, cut into passes over the images: features of each pass, and all that is kept, take
 * at most `hostBytes`. Throws LimitError where one layer alone is above that.
 */
export function planPasses(
  { precision }: Backend,
  shapes: readonly Shape[],
  { keptBytes, hostBytes }: { readonly keptBytes: number; readonly hostBytes: number },
): number[][] {
  const bytes = shapes.map((shape) => elementCount(shape) * elementBytes("f32", precision));
  const largest = Math.max(...bytes);
  if (keptBytes + largest > hostBytes) {
    throw new LimitError({
      what: "compare",
      facts: `on ${shapes[0][0]} samples, features of one layer take ${formatBytes(largest)}, what is kept of all layers ${formatBytes(keptBytes)}, and ${formatBytes(hostBytes)} of the host's memory may be used`,
      hint: FEWER_SAMPLES,
    });
  }
  const passes: number[][] = [];
  let room = 0;
  for (const layer of byShape(shapes)) {
    if (bytes[layer] > room || passes.length === 0) {
      passes.push([]);
      room = hostBytes - keptBytes;
    }
    passes[passes.length - 1].push(layer);
    room -= bytes[layer];
  }
  return passes;
}

/** Indices, those of equal shapes beside each other. */
export function byShape(shapes: readonly (Shape | string)[]): number[] {
  const keys = shapes.map(String);
  const first = new Map([...keys.keys()].reverse().map((i) => [keys[i], i]));
  return [...keys.keys()].sort((a, b) => first.get(keys[a])! - first.get(keys[b])!);
}

/** What makes whole features smaller. */
export const FEWER_SAMPLES = "Take fewer --samples, or --estimator minibatch where the similarity has it";
/** What makes a network's step smaller. */
export const SMALLER_BATCH = "Take a smaller --batch";

/** What throws an error again, with `hint` where something was too large. */
export function explainLimit(hint: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof LimitError)) throw error;
    throw new LimitError({ ...error.parts, what: "compare", hint });
  };
}
