/** Tuning and profiling measure real kernels, leave nothing behind, and choices decide what is generated. */
import { compile, Variable } from "@guidance/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWith } from "./backend.test.support.ts";
import type { WebGpuBackend } from "./backend.ts";
import { choiceKey } from "./kernels/choices.ts";

let backend: WebGpuBackend;
beforeAll(async () => {
  backend = await openWith();
});
afterAll(() => backend.close());

/** A product with an epilogue, and a sum. */
async function product(on: WebGpuBackend) {
  const [a, b] = [new Variable([40, 24], 0.5), new Variable([24, 36], 0.25)];
  const step = await compile(on, {}, () => ({ total: a.matmul(b).add(1).relu().sum() }));
  return { step, plan: step.plan };
}

describe("profile", () => {
  it("times every kernel of a plan and frees what it made", async () => {
    const { step, plan } = await product(backend);
    const live = backend.liveBytes;
    const told: (readonly [number, number])[] = [];
    const { method, step: seconds, calls } = await backend.profile(plan, 3, (...progress) => told.push(progress));
    // one round to compile, three of kernels, three of the step
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7].map((done) => [done, 7]));
    expect(seconds).toBeGreaterThan(0);
    expect(method).toBe(backend.opened.features.has("timestamp-query") ? "timestamps" : "submits");
    expect(calls.map(({ call }) => call)).toEqual(plan.calls);
    for (const { seconds, start } of calls) {
      expect(seconds).toBeGreaterThan(0);
      expect(start).toBeGreaterThanOrEqual(0);
    }
    expect(backend.liveBytes).toBe(live);
    step.close();
  });
});

describe("tune", () => {
  it("times every alternative of a kernel that has some, all of them right", async () => {
    const { step, plan } = await product(backend);
    const live = backend.liveBytes;
    const [tuned, ...others] = await backend.tune(plan);
    expect(others).toEqual([]);
    expect(tuned.key).toBe("matmul 1x40x36x24 NN");
    expect(tuned.count).toBe(1);
    expect(tuned.timed.map(({ choice }) => choice)).toContain("direct");
    for (const { choice, seconds } of tuned.timed) expect(seconds, choice).toBeGreaterThan(0);
    expect(backend.liveBytes).toBe(live);
    step.close();
  });

  it("a choice decides the kernel of its key, and the backend's name tells", async () => {
    const { plan } = await product(backend);
    const { kernel } = plan.calls[0];
    const key = choiceKey(kernel);
    expect(key).toBeDefined();
    const chosen = await openWith({ choices: new Map([[key!, "direct"]]) });
    const other = await openWith({ choices: new Map([["matmul of other sizes", "tiled"]]) });
    try {
      expect(chosen.lower(kernel).family).toBe("direct");
      expect(other.lower(kernel)).toEqual(backend.lower(kernel));
      expect(new Set([backend.name, chosen.name, other.name]).size).toBe(3);
      expect(chosen.name).toMatch(/, tuned [0-9a-f]{8}$/);
    } finally {
      await chosen.close();
      await other.close();
    }
  });
});
