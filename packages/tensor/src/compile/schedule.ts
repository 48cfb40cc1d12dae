/**
 * Schedule: an order of kernels that respects data, follows the program, and stores a Variable's new value
 * as soon as it can be computed and all readers of the old one are done, so that gradients die early and
 * updates happen in place.
 */
import type { Tensor } from "../tensor.ts";
import type { EmittedKernel } from "./emit.ts";

/** `oldValueOf` gives the Variable leaf that a stored tensor replaces, if it is one and the leaf is read. */
export function schedule(kernels: readonly EmittedKernel[], oldValueOf: ReadonlyMap<Tensor, Tensor>): EmittedKernel[] {
  const producer = new Map<Tensor, EmittedKernel>();
  const readers = new Map<Tensor, EmittedKernel[]>();
  for (const kernel of kernels) {
    for (const output of kernel.outputs) producer.set(output, kernel);
    for (const input of new Set(kernel.inputs)) readers.set(input, [...(readers.get(input) ?? []), kernel]);
  }
  const done = new Set<EmittedKernel>();
  const waiting = new Map(
    kernels.map((kernel) => [kernel, new Set(kernel.inputs.flatMap((input) => producer.get(input) ?? [])).size]),
  );
  const rank = new Map(kernels.map((kernel) => [kernel, Math.max(...kernel.outputs.map(({ id }) => id))]));
  const replaced = new Map(
    kernels.map((kernel) => [kernel, kernel.outputs.flatMap((output) => oldValueOf.get(output) ?? [])]),
  );

  const isUpdate = (kernel: EmittedKernel) => (replaced.get(kernel) ?? []).length > 0;
  const oldReadersDone = (kernel: EmittedKernel) =>
    (replaced.get(kernel) ?? []).every((leaf) =>
      (readers.get(leaf) ?? []).every((reader) => reader === kernel || done.has(reader)),
    );
  const order = (kernel: EmittedKernel) => rank.get(kernel) ?? 0;

  const ready = kernels.filter((kernel) => waiting.get(kernel) === 0);
  const result: EmittedKernel[] = [];
  while (ready.length > 0) {
    let best = 0;
    let bestKey = Number.POSITIVE_INFINITY;
    ready.forEach((kernel, i) => {
      // updates whose old readers are done come first, blocked updates last
      const key = !isUpdate(kernel)
        ? order(kernel)
        : oldReadersDone(kernel)
          ? order(kernel) - 1e12
          : order(kernel) + 1e12;
      if (key < bestKey) [best, bestKey] = [i, key];
    });
    const [kernel] = ready.splice(best, 1);
    result.push(kernel);
    done.add(kernel);
    const next = new Set(kernel.outputs.flatMap((output) => readers.get(output) ?? []));
    for (const user of next) {
      const left = (waiting.get(user) ?? 0) - 1;
      waiting.set(user, left);
      if (left === 0) ready.push(user);
    }
  }
  if (result.length < kernels.length) throw new Error(`${kernels.length - result.length} kernels need each other`);
  return result;
}
