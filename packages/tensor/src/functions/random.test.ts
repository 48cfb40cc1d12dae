import { expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { Generator } from "../random.ts";
import { compile } from "../step.ts";
import { normal } from "./random.ts";

it("normal numbers have the moments of the normal distribution, and are new in every run", async () => {
  const generator = new Generator(7);
  const step = await compile(cpuBackend(), {}, () => ({ x: normal([100_000], generator) }));
  const first = [...(await step({})).x.data];
  const second = [...(await step({})).x.data];
  const moment = (k: number) => first.reduce((sum, x) => sum + x ** k, 0) / first.length;
  // standard errors: 0.003, 0.0045, 0.012, 0.031
  expect(moment(1)).toBeCloseTo(0, 1);
  expect(Math.abs(moment(2) - 1)).toBeLessThan(0.02);
  expect(Math.abs(moment(3))).toBeLessThan(0.05);
  expect(Math.abs(moment(4) - 3)).toBeLessThan(0.15);
  expect(first.every(Number.isFinite)).toBe(true);
  expect(second).not.toEqual(first);
});
