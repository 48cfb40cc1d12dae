import { describe, expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { compile, f32 } from "../step.ts";
import { Variable } from "../variable.ts";
import { LossScaler } from "./loss-scale.ts";
import { SGD } from "./sgd.ts";

/** One step on slope * w, with w at 1 and its gradient kept in half precision on the way. */
async function stepOf(scaler: LossScaler) {
  const w = new Variable([1], 1, { name: "w" });
  const sgd = new SGD([w], { learningRate: 1 });
  const step = await compile(cpuBackend(), { slope: f32(1) }, ({ slope }) => {
    const half = w.asTensor().cast("f16").cast("f32");
    const { gradients, finite } = scaler.gradients(sgd, half.mul(slope).sum());
    sgd.apply(gradients);
    return { finite };
  });
  return async (slope: number) => {
    const { finite } = await step({ slope: [slope] });
    scaler.update(finite.item() !== 0);
    return { w: (await w.read())[0], scale: scaler.scale };
  };
}

describe("a scaled loss", () => {
  it("keeps gradients that half precision would lose", async () => {
    const plain = await stepOf(new LossScaler({ scale: 1 }));
    expect((await plain(2 ** -20 * 1.5)).w).toBe(Math.fround(1 - 2 ** -20 * 1.5));
    expect((await plain(2 ** -26)).w).toBe(Math.fround(1 - 2 ** -20 * 1.5));
    const scaled = await stepOf(new LossScaler({ scale: 1024 }));
    expect((await scaled(2 ** -22)).w).toBe(1 - 2 ** -22);
  });

  it("whose gradient overflows changes nothing and halves the scale", async () => {
    const step = await stepOf(new LossScaler({ scale: 1024 }));
    expect(await step(100)).toEqual({ w: 1, scale: 512 });
    expect(await step(100)).toEqual({ w: -99, scale: 512 });
    expect(await step(Number.NaN)).toEqual({ w: -99, scale: 256 });
  });

  it("that overflows itself is told like its gradients, and halves the scale", async () => {
    const step = await stepOf(new LossScaler({ scale: 1024 }));
    expect(await step(1e36)).toEqual({ w: 1, scale: 512 });
  });

  it("has a scale that can come down again", () => {
    const scaler = new LossScaler({ scale: 2 ** 23, growthInterval: 1 });
    for (let i = 0; i < 2000; i++) scaler.update(true);
    expect(scaler.scale).toBe(2 ** 24);
  });

  it("doubles its scale after many good steps in a row", () => {
    const scaler = new LossScaler({ scale: 8, growthInterval: 3 });
    const scales = [true, true, false, true, true, true, true].map((finite) => {
      scaler.update(finite);
      return scaler.scale;
    });
    expect(scales).toEqual([8, 8, 4, 4, 4, 8, 8]);
  });
});
