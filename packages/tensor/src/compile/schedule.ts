/**
 * Schedule: an order of kernels that respects data and follows the program, with two exceptions. A Variable's new value
 * is stored as soon as it can be computed and all readers of the old one are done, so that gradients die early and
 * updates happen in place. And what frees more bytes than it takes does so at once: a Gram matrix is made of large
 * features as soon as they are there.
 */
import type { TensorType } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";
import type { EmittedKernel } from "./emit.ts";

/** Kernels of these classes go first, whatever their place in the program. */
const UPDATE = 0;
const FREES = 1;
const PLAIN = 2;
const BLOCKED_UPDATE = 3;

interface Entry {
  readonly kernel: EmittedKernel;
  /** Its place in the program. */
  readonly rank: number;
  /** Variable leaves whose values it replaces. */
  readonly replaced: readonly Tensor[];
  /** Distinct inputs that other kernels make. */
  readonly made: readonly Tensor[];
  /** Bytes of its outputs, without those that go to Variables. */
  readonly bytes: number;
  /** Kernels yet to run before it. */
  waiting: number;
}

/** `oldValueOf` gives the Variable leaf that a stored tensor replaces, if it is one and the leaf is read. */
export function schedule(
  kernels: readonly EmittedKernel[],
  oldValueOf: ReadonlyMap<Tensor, Tensor>,
  bytesOf: (type: TensorType) => number,
): EmittedKernel[] {
  const producer = new Map<Tensor, EmittedKernel>();
  for (const kernel of kernels) for (const output of kernel.outputs) producer.set(output, kernel);
  const readers = new Map<Tensor, Entry[]>();
  /** Readers of each tensor that have not run. */
  const unread = new Map<Tensor, number>();
  const entries = kernels.map((kernel): Entry => {
    const inputs = [...new Set(kernel.inputs)];
    const entry: Entry = {
      kernel,
      rank: Math.min(...kernel.outputs.map(({ id }) => id)),
      replaced: kernel.outputs.flatMap((output) => oldValueOf.get(output) ?? []),
      made: inputs.filter((input) => producer.has(input)),
      bytes: kernel.outputs.reduce((sum, output) => sum + (oldValueOf.has(output) ? 0 : bytesOf(output)), 0),
      waiting: new Set(inputs.flatMap((input) => producer.get(input) ?? [])).size,
    };
    for (const input of inputs) {
      const list = readers.get(input);
      if (list) list.push(entry);
      else readers.set(input, [entry]);
      unread.set(input, (unread.get(input) ?? 0) + 1);
    }
    return entry;
  });

  const classOf = ({ kernel, replaced, made, bytes }: Entry): number => {
    if (replaced.length > 0) {
      const last = replaced.every((leaf) => (unread.get(leaf) ?? 0) <= Number(kernel.inputs.includes(leaf)));
      return last ? UPDATE : BLOCKED_UPDATE;
    }
    const freed = made.reduce((sum, input) => sum + (unread.get(input) === 1 ? bytesOf(input) : 0), 0);
    return freed > bytes ? FREES : PLAIN;
  };

  const ready = entries.filter(({ waiting }) => waiting === 0);
  const result: EmittedKernel[] = [];
  while (ready.length > 0) {
    let best = 0;
    let bestClass = Number.POSITIVE_INFINITY;
    ready.forEach((entry, i) => {
      const own = classOf(entry);
      if (own < bestClass || (own === bestClass && entry.rank < ready[best].rank)) [best, bestClass] = [i, own];
    });
    const [{ kernel }] = ready.splice(best, 1);
    result.push(kernel);
    for (const input of new Set(kernel.inputs)) unread.set(input, (unread.get(input) as number) - 1);
    for (const user of new Set(kernel.outputs.flatMap((output) => readers.get(output) ?? []))) {
      user.waiting--;
      if (user.waiting === 0) ready.push(user);
    }
  }
  if (result.length < kernels.length) throw new Error(`${kernels.length - result.length} kernels need each other`);
  return result;
}
