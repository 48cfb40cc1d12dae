/** Learning-rate schedules: pure functions of the epoch or the step, read before each run. */

/** initial * factor^floor(epoch / every), as the original method sets it at each epoch's start. */
export function stepDecay(initial: number, { factor = 0.1, every = 30 } = {}): (epoch: number) => number {
  return (epoch) => initial * factor ** Math.floor(epoch / every);
}

/**
 * minimum + (initial - minimum) * (1 + cos(pi * at / total)) / 2, and minimum from `total` on
 * (torch.optim.lr_scheduler.CosineAnnealingLR; Loshchilov and Hutter 2017).
 *
 * @param total epochs or steps, whichever the schedule is asked with
 */
export function cosineDecay(
  initial: number,
  { total, minimum = 0 }: { readonly total: number; readonly minimum?: number },
): (at: number) => number {
  return (at) => minimum + ((initial - minimum) * (1 + Math.cos((Math.PI * Math.min(at, total)) / total))) / 2;
}

/** What part of the scheduled rate step number `step` (from 0) gets: it rises linearly over the first `steps` steps to 1. */
export function warmUp(steps: number): (step: number) => number {
  return (step) => Math.min(1, (step + 1) / Math.max(1, steps));
}
