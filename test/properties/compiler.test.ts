// Whatever the compiler does, values stay: every combination of its switches gives, on random graphs, what the ops'
// references give one after another. Freed buffers are filled with NaN, so an early reuse cannot go unseen.

import { type CompileOptions, cpuBackend } from "@guidance/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { execute, programs, type RunValues } from "../support/programs.ts";
import { difference } from "../support/reference.ts";

function expectSame(actual: readonly RunValues[], expected: readonly RunValues[]): void {
  expected.forEach((values, run) => {
    for (const [name, value] of Object.entries(values))
      expect(difference(actual[run][name], value), `${name} of run ${run}`).toBe(0);
  });
}

const switches: CompileOptions[] = [true, false].flatMap((simplify) =>
  [true, false].flatMap((fuse) => [true, false].map((reuseBuffers) => ({ simplify, fuse, reuseBuffers }))),
);

describe("a random program gives the reference's bits in float64", () => {
  const backend = cpuBackend({ precision: "float64", poison: true });
  it.each(switches)("with simplify $simplify, fuse $fuse, reuseBuffers $reuseBuffers", async (options) => {
    await fc.assert(
      fc.asyncProperty(programs, async (program) => {
        const { actual, expected } = await execute(program, backend, options);
        expectSame(actual, expected);
      }),
      { numRuns: 100 },
    );
  });
});

it("a random program gives the same bits in float32, simplified, fused, with buffers reused, or not", async () => {
  const backend = cpuBackend({ precision: "float32", poison: true });
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const { actual: all } = await execute(program, backend);
      const { actual: plain } = await execute(program, backend, { simplify: false, fuse: false, reuseBuffers: false });
      expectSame(all, plain);
    }),
    { numRuns: 60 },
  );
});
