/**
 * Networks and their random numbers. A user's module need not know of generators: while one is built, and while
 * its forward pass is traced, its own generator is the default one, so that the seed decides everything and a
 * checkpoint holds the whole state.
 */
import { type Generator, nn, type Operand, type Tensor, ValueError, withGenerator } from "@guidance/tensor";
import { describeValue, runOwn } from "../own-code.ts";

const generators = new WeakMap<nn.Module, Generator>();

/**
 * The network that `build` makes, whose layers draw from `generator` unless they are given another. `what` is what messages
 * call it, e.g. `student "mine"`; throws ValueError where `build` gives no module.
 */
export function buildNetwork(what: string, generator: Generator, build: () => nn.Module): nn.Module {
  const network: unknown = runOwn(what, () => withGenerator(generator, build));
  if (!(network instanceof nn.Module)) {
    throw new ValueError({
      what,
      facts: `the function that builds it returned ${describeValue(network)}`,
      expected: "a network, an nn.Module of @guidance/tensor",
    });
  }
  generators.set(network, generator);
  return network;
}

/** The generator that `network` was built with, if any. */
export const generatorOf = (network: nn.Module): Generator | undefined => generators.get(network);

/** The output of `network` for `input`; it draws from the generator it was built with, if any. */
export function callNetwork(network: nn.Module, input: Operand): Tensor {
  const generator = generatorOf(network);
  return generator ? withGenerator(generator, () => network.call(input)) : network.call(input);
}
