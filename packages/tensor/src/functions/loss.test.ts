// Scores and losses where a careless definition flatters: ties, NaN, labels that are no class.

import { describe, expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { grad } from "../grad.ts";
import { tensor } from "../values.ts";
import { crossEntropy, crossEntropyPerSample, topKCorrect } from "./loss.ts";

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

async function correct(logits: readonly number[][], labels: readonly number[], k: number): Promise<number[]> {
  const rows = tensor(logits.flat(), [logits.length, logits[0].length]);
  return [...(await topKCorrect(rows, tensor(labels, [labels.length], "i32"), k).data()).data];
}

describe("topKCorrect", () => {
  it("gives equal logits to the smaller class, so that a dead network scores as chance does", async () => {
    const dead = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
    expect(await correct(dead, [0, 1, 2, 3], 1)).toEqual([1, 0, 0, 0]);
    expect(await correct(dead, [0, 1, 2, 3], 3)).toEqual([1, 1, 1, 0]);
  });

  it.each<[string, number[], number, number, number]>([
    ["the largest", [1, 5, 3], 1, 1, 1],
    ["the second of two asked for", [1, 5, 3], 2, 2, 1],
    ["the third of two asked for", [1, 5, 3], 0, 2, 0],
    ["any of fewer classes than asked for", [1, 5, 3], 0, 5, 1],
    ["an infinite one", [1, infinity, 3], 1, 1, 1],
    ["one NaN elsewhere comes first", [nan, 5, 3], 1, 1, 0],
    ["one NaN elsewhere, two asked for", [nan, 5, 3], 1, 2, 1],
    ["its own NaN", [1, nan, 3], 1, 1, 0],
    ["its own NaN of fewer classes than asked for", [1, nan, 3], 1, 5, 0],
    ["all NaN", [nan, nan, nan], 0, 5, 0],
    ["no class above", [0, 0, 0], 3, 5, 0],
    ["no class below", [0, 0, 0], -1, 5, 0],
  ])("%s", async (_, logits, label, k, expected) => {
    expect(await correct([logits], [label], k)).toEqual([expected]);
  });
});

describe("crossEntropy", () => {
  const logits = tensor([1, 2, 3, 1, 2, 3], [2, 3]);

  it.each([7, 3, -1])("of label %d with three classes is NaN, that sample's alone", async (label) => {
    const labels = tensor([0, label], [2], "i32");
    const { data } = await crossEntropyPerSample(logits, labels).data();
    expect(data[0]).toBeCloseTo(Math.log(1 + Math.E + Math.E ** 2), 6);
    expect(data[1]).toBeNaN();
    expect((await crossEntropy(logits, labels).data()).item()).toBeNaN();
  });

  it("has the gradient softmax - one-hot", async () => {
    const [gradient] = grad(crossEntropy(logits, tensor([2, 0], [2], "i32")), [logits]);
    const { data } = await gradient.data(cpuBackend({ precision: "float64" }));
    const total = 1 + Math.E + Math.E ** 2;
    const softmax = [1 / total, Math.E / total, Math.E ** 2 / total];
    const expected = [softmax[0], softmax[1], softmax[2] - 1, softmax[0] - 1, softmax[1], softmax[2]];
    expected.forEach((value, i) => {
      expect(data[i]).toBeCloseTo(value / 2, 12);
    });
  });
});

describe("label smoothing", () => {
  // torch.nn.functional.cross_entropy(torch.tensor([[1., 2., 3.]]), torch.tensor([2]), label_smoothing=0.3)
  it("gives what torch gives", async () => {
    const logits = tensor([1, 2, 3], [1, 3]);
    const labels = tensor([2], [1], "i32");
    expect((await crossEntropy(logits, labels, { labelSmoothing: 0.3 }).data()).item()).toBeCloseTo(0.7076059, 6);
    expect((await crossEntropy(logits, labels).data()).item()).toBeCloseTo(0.4076059, 6);
  });

  it("leaves a label that is no class NaN, and refuses parts that are none", async () => {
    const logits = tensor([1, 2, 3], [1, 3]);
    const loss = crossEntropy(logits, tensor([3], [1], "i32"), { labelSmoothing: 0.3 });
    expect((await loss.data()).item()).toBeNaN();
    expect(() => crossEntropy(logits, tensor([0], [1], "i32"), { labelSmoothing: 1 })).toThrow("label smoothing is 1");
  });
});
