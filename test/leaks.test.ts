// What is dropped unclosed is reported by name and freed; what was closed, or is still held, is not.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { compile, cpuBackend, f32, Variable } from "@guidance/tensor";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

let reports: string[];
beforeEach(() => {
  reports = [];
  vi.spyOn(console, "warn").mockImplementation((text: string) => void reports.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Collects garbage until `done`, or until it is clear that nothing more comes. */
async function collectUntil(done: () => boolean): Promise<void> {
  for (let round = 0; round < 50 && !done(); round++) {
    collectGarbage();
    // finalization callbacks are tasks of their own
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const backend = cpuBackend();

/** Makes a Variable and a Step that uses it; whoever calls may drop both. */
async function make(name: string) {
  const variable = new Variable([4], 1, { name });
  const step = await compile(backend, { x: f32(4) }, ({ x }) => ({ [`sum of ${name}`]: variable.mul(x).sum() }));
  await step({ x: [1, 2, 3, 4] });
  return { variable, step };
}

it("reports a Step and a Variable that were dropped, each by name, and frees them", async () => {
  await make("fc.weight");
  await collectUntil(() => reports.length === 2);
  expect(reports.sort()).toEqual([
    expect.stringMatching(/^Step \(sum of fc\.weight\) was dropped without close\(\)/),
    expect.stringMatching(/^Variable "fc\.weight" was dropped without close\(\)/),
  ]);
  expect(backend.liveBytes).toBe(0);
});

it("reports nothing that was closed or is still held", async () => {
  const closeBoth = async () => {
    const { variable, step } = await make("closed");
    step.close();
    variable.close();
  };
  await closeBoth();
  const held = await make("held");
  // what is reported shows that the collector came by
  await make("forgotten");
  await collectUntil(() => reports.length >= 2);
  expect(reports.filter((text) => !text.includes("forgotten"))).toEqual([]);
  held.step.close();
  held.variable.close();
});
