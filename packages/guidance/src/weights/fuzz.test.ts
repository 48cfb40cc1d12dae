/** Random bytes and mutations of valid files, 10,000 of each kind: a WeightsError or tensors, and quickly. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { writeSafetensors } from "@guidance/tensor";
import fc from "fast-check";
import { expect, test } from "vitest";
import { modestly } from "../fuzz.test.support.ts";
import { WeightsError } from "./errors.ts";
import { changes, mutate } from "./fuzz.test.support.ts";
import { openWeightsFrom } from "./open.ts";
import { memorySource } from "./source.ts";
import { locateEntry, readZip } from "./zip-read.ts";

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

/** Opens a file and reads all of it; throws unless that works or is refused as it should. */
async function tryFile(contents: Uint8Array): Promise<void> {
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
}

/** Gives the entries of an archive the checksums of what they hold: most damage would get no further than these. */
async function repairChecksums(contents: Buffer): Promise<Buffer> {
  try {
    const archive = await readZip(memorySource("fuzz", contents));
    for (const entry of archive.entries.values()) {
      const begin = await locateEntry(archive, entry);
      const record = contents.indexOf(entry.name, archive.end, "utf8") - 46;
      contents.writeUInt32LE(crc32(contents.subarray(begin, begin + entry.size)), record + 16);
    }
  } catch {
    // what has no directory is tried as it is
  }
  return contents;
}

test.each([
  ["zip", 10_000],
  ["legacy", 10_000],
  ["safetensors", 10_000],
] as const)("mutations of %s files (%i)", async (format, numRuns) => {
  const repair = format === "zip" ? fc.nat(7).map((draw) => draw > 0) : fc.constant(false);
  const property = fc.asyncProperty(fc.constantFrom(...seeds[format]), changes, repair, async (seed, list, repair) => {
    const contents = list.reduce(mutate, Buffer.from(seed));
    const file = repair ? await repairChecksums(contents) : contents;
    await modestly(() => tryFile(file));
  });
  await fc.assert(property, { numRuns });
});

test("random bytes, with the beginning of each format (10,000)", async () => {
  const starts = [...Object.values(seeds).map(([seed]) => seed), new Uint8Array(0)];
  const start = fc.tuple(fc.constantFrom(...starts), fc.nat(200)).map(([seed, length]) => seed.subarray(0, length));
  const property = fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (head, tail) => {
    await modestly(() => tryFile(Buffer.concat([head, tail])));
  });
  await fc.assert(property, { numRuns: 10_000 });
});
