// What a plan promises about its buffers, on random graphs: checked on the plan itself, which is data, by following what
// each buffer holds from call to call.

import { type Backend, cpuBackend, overwritableInputs, type Plan, type PlanCall, readsScalars } from "@guidance/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Executed, execute, programs } from "../support/programs.ts";

/** A CPU backend that asks for scratch memory and binds few buffers, as a GPU does. */
function frugal(maxKernelBuffers: number): Backend {
  const backend = cpuBackend({ precision: "float64", poison: true });
  const overrides: Partial<Backend> = {
    limits: { ...backend.limits, maxKernelBuffers },
    lower: (kernel) => ({
      ...backend.lower(kernel),
      scratch: kernel.core ? [8 * kernel.inputs.length, 40] : [],
    }),
  };
  return new Proxy(backend, {
    get(target, name) {
      const value = name in overrides ? overrides[name as keyof Backend] : target[name as keyof Backend];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Fewest buffers any single op needs, and more. */
const limits = fc.integer({ min: 8, max: 16 });

function property(check: (executed: Executed, backend: Backend) => void | Promise<void>) {
  return fc.assert(
    fc.asyncProperty(programs, limits, async (program, limit) => {
      const backend = frugal(limit);
      await check(await execute(program, backend), backend);
    }),
    { numRuns: 100 },
  );
}

/** Calls `visit` with the value each input of each call holds: the call and output that made it, or what a leaf began with. */
function followValues({ buffers, calls, outputs }: Plan): { reads: string[][]; results: string[] } {
  const held = buffers.map(({ role }, buffer) => `${role} ${role === "temporary" ? "nothing" : buffer}`);
  const reads = calls.map((call, position) => {
    const read = call.inputs.map((buffer) => held[buffer]);
    for (const buffer of call.scratch) held[buffer] = "scratch";
    call.outputs.forEach((buffer, i) => {
      held[buffer] = `output ${i} of call ${position}`;
    });
    return read;
  });
  return { reads, results: outputs.map(({ buffer }) => held[buffer]) };
}

/** Temporary buffers that hold a value someone reads later, after each call. */
function liveTemporaries({ buffers, calls, outputs }: Plan): ReadonlySet<number>[] {
  const live = new Set(outputs.map(({ buffer }) => buffer));
  const sets: ReadonlySet<number>[] = [];
  for (const call of [...calls].reverse()) {
    const temporary = [...live, ...call.outputs].filter((buffer) => buffers[buffer].role === "temporary");
    sets.unshift(new Set(temporary));
    for (const buffer of call.outputs) live.delete(buffer);
    for (const buffer of call.inputs) live.add(buffer);
  }
  return sets;
}

describe("a plan of a random program", () => {
  it("never gives two live values one buffer: it reads what the plan without reuse reads", async () => {
    await fc.assert(
      fc.asyncProperty(programs, limits, async (program, limit) => {
        const backend = frugal(limit);
        const { plan: reused } = await execute(program, backend);
        const { plan: separate } = await execute(program, backend, { reuseBuffers: false });
        const names = ({ calls }: Plan) => calls.map(({ kernel }) => kernel.label);
        expect(names(reused)).toEqual(names(separate));
        const [a, b] = [followValues(reused), followValues(separate)];
        const made = (value: string) => (value.startsWith("output") ? value : "leaf");
        expect(a.reads.map((read) => read.map(made))).toEqual(b.reads.map((read) => read.map(made)));
        expect(a.results).toEqual(b.results);
      }),
      { numRuns: 100 },
    );
  });

  it("reads no temporary that nothing wrote, and no scratch", async () => {
    await property(({ plan }) => {
      const { reads, results } = followValues(plan);
      for (const value of [...reads.flat(), ...results]) {
        expect(value).not.toBe("temporary nothing");
        expect(value).not.toBe("scratch");
      }
    });
  });

  it("lets an output share a buffer only with an input its kernel may overwrite", async () => {
    await property(({ plan }) => {
      for (const { kernel, inputs, outputs } of plan.calls) {
        inputs.forEach((buffer, i) => {
          const output = outputs.indexOf(buffer);
          if (output >= 0) expect(overwritableInputs(kernel, output)).toContain(i);
        });
        expect(new Set(outputs).size, "each output has its own").toBe(outputs.length);
      }
    });
  });

  it("gives a kernel scratch that nothing else of it uses", async () => {
    await property(({ plan }) => {
      for (const { inputs, outputs, scratch } of plan.calls)
        expect(new Set([...inputs, ...outputs, ...scratch]).size).toBe(
          new Set([...inputs, ...outputs]).size + scratch.length,
        );
    });
  });

  it("binds no more buffers than the backend can", async () => {
    const buffersOf = ({ kernel, inputs, outputs }: PlanCall) =>
      new Set([...inputs, ...outputs]).size + (readsScalars(kernel) ? 1 : 0);
    await property(({ plan }, { limits }) => {
      for (const call of plan.calls) expect(buffersOf(call)).toBeLessThanOrEqual(limits.maxKernelBuffers);
    });
  });

  it("has buffers that hold their values", async () => {
    const elements = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
    const bytes = (dtype: string) => ({ f32: 8, f16: 2 })[dtype] ?? 4;
    await property(({ plan }) => {
      for (const { kernel, inputs, outputs } of plan.calls) {
        const types = [...kernel.inputs, ...kernel.outputs.map(({ type }) => type)];
        [...inputs, ...outputs].forEach((buffer, i) => {
          expect(plan.buffers[buffer].bytes).toBeGreaterThanOrEqual(elements(types[i].shape) * bytes(types[i].dtype));
        });
      }
    });
  });

  it("reports exactly the bytes it holds, at least those of all values that live at once", async () => {
    await property(({ plan, liveBytes }) => {
      const { memory, buffers } = plan;
      const total = buffers.reduce((sum, { bytes }) => sum + bytes, 0);
      expect(memory.peak).toBe(total + memory.staging);
      expect(liveBytes).toBe(total);
      const live = liveTemporaries(plan).map((set) => [...set].reduce((sum, i) => sum + buffers[i].bytes, 0));
      expect(memory.temporaries).toBeGreaterThanOrEqual(Math.max(0, ...live));
    });
  });
});

it("a plan is the same plan when it is made again", async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const backend = cpuBackend();
      const { plan } = await execute(program, backend);
      const { plan: again } = await execute(program, backend);
      expect(again.key).toBe(plan.key);
      expect(again.describe()).toBe(plan.describe());
    }),
    { numRuns: 40 },
  );
});
