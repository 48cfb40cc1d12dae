/** Learning-rate schedules: pure functions of the epoch. */

/** initial * factor^floor(epoch / every), as the original method sets it at each epoch's start. */
export function stepDecay(initial: number, { factor = 0.1, every = 30 } = {}): (epoch: number) => number {
  return (epoch) => initial * factor ** Math.floor(epoch / every);
}
