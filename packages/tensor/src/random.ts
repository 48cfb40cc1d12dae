/**
 * Random numbers that do not depend on the order in which they are drawn.
 *
 * A stateful generator gives other values when a layer is added, a mask is recomputed in the backward pass or a run is
 * resumed. Here a draw is a pure function of where it is needed: Threefry-2x32, a cipher, is applied to (index, counter)
 * under the key (seed, stream). The index is the element, the counter the step or epoch, the stream a place in the
 * program: the initial values of one parameter, one dropout site. Only the number of the next stream is state.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Random123).
 */

import { ValueError } from "./errors.ts";

const WORD_VALUES = 2 ** 32;

/** The Skein key-schedule parity constant, as used by Threefry for 32-bit words. */
const PARITY = 0x1bd11bda;

/** The stream of {@link permutation}; a {@link Generator} never hands it out. */
const SHUFFLE_STREAM = WORD_VALUES - 1;

function checkWord(what: string, name: string, value: number): void {
  if (Number.isInteger(value) && value >= 0 && value < WORD_VALUES) return;
  throw new ValueError({
    what,
    facts: `${name} is ${value}`,
    expected: `a whole number from 0 to ${WORD_VALUES - 1}`,
  });
}

/** Writes both words of the cipher block of (index, counter) under (key0, key1) to `block`. */
export function threefryBlock(
  index: number,
  counter: number,
  key0: number,
  key1: number,
  block: Uint32Array,
): Uint32Array {
  let x0 = (index + key0) | 0;
  let x1 = (counter + key1) | 0;
  // keys of the next injection, and of those after it in turn
  let [first, second, third] = [key1 | 0, (PARITY ^ key0 ^ key1) | 0, key0 | 0];
  // 20 rounds: five groups of four, each followed by an injection of the key and the group's number. The distances of the
  // rotations (the paper's table 2) repeat after two groups; written out, initial values take half the time
  for (let group = 1; group <= 5; group++) {
    if (group % 2 === 1) {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
    } else {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
    }
    x0 = (x0 + first) | 0;
    x1 = (x1 + second + group) | 0;
    const next = first;
    first = second;
    second = third;
    third = next;
  }
  block[0] = x0;
  block[1] = x1;
  return block;
}

const scratch = new Uint32Array(2);

/** Random 32-bit word (u32) of (index, counter) under (key0, key1): the first word of Threefry-2x32 with 20 rounds. */
export function threefry2x32(index: number, counter: number, key0: number, key1: number): number {
  return threefryBlock(index, counter, key0, key1, scratch)[0];
}

/** Uniform float64 in [0, 1) with 53 random bits. */
function uniform(index: number, seed: number, stream: number): number {
  threefryBlock(index, 0, seed, stream, scratch);
  return ((scratch[0] >>> 5) * 2 ** 26 + (scratch[1] >>> 6)) / 2 ** 53;
}

function checkDraw(what: string, n: number, seed: number, stream: number): void {
  checkWord(what, "the number of values", n);
  checkWord(what, "the seed", seed);
  checkWord(what, "the stream", stream);
}

/** `n` float64 values uniform in [low, high), a function of (seed, stream) alone; a smaller `n` gives a prefix. */
export function uniformValues(n: number, seed: number, stream: number, low: number, high: number): Float64Array {
  checkDraw("uniformValues", n, seed, stream);
  const values = new Float64Array(n);
  for (let index = 0; index < n; index++) values[index] = low + (high - low) * uniform(index, seed, stream);
  return values;
}

/**
 * `n` float64 values of the normal distribution with the given mean and standard deviation, a function of
 * (seed, stream) alone; a smaller `n` gives a prefix.
 *
 * Box-Muller: sqrt(-2 ln u) times the cosine and the sine of 2 pi v, for u in (0, 1] and v in [0, 1).
 */
export function normalValues(n: number, seed: number, stream: number, mean: number, std: number): Float64Array {
  checkDraw("normalValues", n, seed, stream);
  const values = new Float64Array(n);
  for (let index = 0; index < n; index += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - uniform(index, seed, stream)));
    const angle = 2 * Math.PI * uniform(index + 1, seed, stream);
    values[index] = mean + radius * Math.cos(angle);
    if (index + 1 < n) values[index + 1] = mean + radius * Math.sin(angle);
  }
  return values;
}

/** A uniformly random order of 0 .. n-1, a function of (seed, epoch) alone (Fisher-Yates, without modulo bias). */
export function permutation(n: number, seed: number, epoch: number): Uint32Array {
  checkDraw("permutation", n, seed, SHUFFLE_STREAM);
  checkWord("permutation", "the epoch", epoch);
  const order = new Uint32Array(n);
  for (let index = 0; index < n; index++) order[index] = index;
  let draws = 0;
  for (let remaining = n; remaining > 1; remaining--) {
    // Words at or above the largest multiple of `remaining` would favour small remainders: draw again.
    const limit = WORD_VALUES - (WORD_VALUES % remaining);
    let word = WORD_VALUES;
    while (word >= limit) word = threefry2x32(draws++, epoch, seed, SHUFFLE_STREAM);
    const chosen = word % remaining;
    const value = order[chosen];
    order[chosen] = order[remaining - 1];
    order[remaining - 1] = value;
  }
  return order;
}

/** Hands out the numbers of random streams under one seed; its whole state is `seed` and `counter`. */
export class Generator {
  /** Key of every stream of this generator (u32). */
  seed: number;
  /** Number of the next stream; saved with checkpoints, and set again to resume. */
  counter = 0;

  /** Starts at stream 0 of `seed`, a whole number below 2^32. */
  constructor(seed: number) {
    checkWord("Generator", "the seed", seed);
    this.seed = seed;
  }

  /** The number of a stream not handed out before; throws once all 2^32 - 1 are used. */
  nextStream(): number {
    if (this.counter >= SHUFFLE_STREAM) {
      throw new ValueError({ what: "Generator.nextStream", facts: `all ${SHUFFLE_STREAM} streams are handed out` });
    }
    return this.counter++;
  }

  /** Starts anew at stream 0 of `seed`, a whole number below 2^32. */
  reset(seed: number): void {
    checkWord("Generator.reset", "the seed", seed);
    this.seed = seed;
    this.counter = 0;
  }
}

/** The generator that modules use unless given another; as in torch. */
export let defaultGenerator = new Generator(0);

/** What `body` gives, with `generator` as the default one while it runs; `body` is synchronous. */
export function withGenerator<T>(generator: Generator, body: () => T): T {
  const before = defaultGenerator;
  defaultGenerator = generator;
  try {
    return body();
  } finally {
    defaultGenerator = before;
  }
}

/** Resets {@link defaultGenerator} to `value`, so that what is built next is reproducible (torch.manual_seed). */
export function seed(value: number): void {
  defaultGenerator.reset(value);
}
