/** Random bytes and mutations of valid files, 10,000 in all: a WeightsError or tensors, and quickly. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { writeSafetensors } from "@guidance/tensor";
import fc from "fast-check";
import { expect, test } from "vitest";
import { WeightsError } from "./errors.ts";
import { changes, mutate } from "./fuzz.test.support.ts";
import { openWeightsFrom } from "./open.ts";
import { memorySource } from "./source.ts";

const fixture = (name: string): Uint8Array =>
  readFileSync(fileURLToPath(new URL(`fixtures/${name}.pth`, import.meta.url)));

const safetensors = writeSafetensors(
  new Map([
    ["a", { dtype: "F32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
    ["b", { dtype: "BOOL", shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ["c", { dtype: "I64", shape: [], data: BigInt64Array.of(5n) }],
  ]),
);

const seeds = {
  zip: [fixture("types-zip"), fixture("views-zip"), fixture("wrapped-zip")],
  legacy: [fixture("types-legacy"), fixture("views-legacy"), fixture("wrapped-legacy")],
  safetensors: [safetensors],
};

/** Longest time for one file of some kilobytes, in milliseconds, with a machine that does other things too. */
const MOST_MILLISECONDS = 2000;

/** Opens a file and reads all of it; throws unless that works or is refused as it should. */
async function tryFile(contents: Uint8Array): Promise<void> {
  const started = performance.now();
  try {
    const file = await openWeightsFrom(memorySource("fuzz", contents));
    for (const name of file.names) {
      const { shape, data } = await file.read(name);
      expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
    }
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    expect(error.message).not.toContain("\n");
    expect(error.message.length).toBeLessThan(3000);
  }
  expect(performance.now() - started).toBeLessThan(MOST_MILLISECONDS);
}

test.each([
  ["zip", 3500],
  ["legacy", 3500],
  ["safetensors", 1500],
] as const)("mutations of %s files (%i)", async (format, numRuns) => {
  const property = fc.asyncProperty(fc.constantFrom(...seeds[format]), changes, async (seed, list) => {
    await tryFile(list.reduce(mutate, Buffer.from(seed)));
  });
  await fc.assert(property, { numRuns });
});

test("random bytes, with the beginning of each format (1,500)", async () => {
  const starts = [...Object.values(seeds).map(([seed]) => seed), new Uint8Array(0)];
  const start = fc.tuple(fc.constantFrom(...starts), fc.nat(200)).map(([seed, length]) => seed.subarray(0, length));
  const property = fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (head, tail) => {
    await tryFile(Buffer.concat([head, tail]));
  });
  await fc.assert(property, { numRuns: 1500 });
});
