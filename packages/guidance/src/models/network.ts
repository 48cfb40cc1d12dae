/**
 * Networks and their random numbers. A user's module need not know of generators: while one is built, and while
 * its forward pass is traced, its own generator is the default one, so that the seed decides everything and a
 * checkpoint holds the whole state.
 */
import { type Generator, type nn, type Operand, type Tensor, withGenerator } from "@guidance/tensor";

const generators = new WeakMap<nn.Module, Generator>();

/** The network that `build` makes, whose layers draw from `generator` unless they are given another. */
export function buildNetwork(generator: Generator, build: () => nn.Module): nn.Module {
  const network = withGenerator(generator, build);
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
