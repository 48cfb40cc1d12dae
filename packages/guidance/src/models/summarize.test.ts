import { nn } from "@guidance/tensor";
import { expect, test } from "vitest";
import { DeepFCN } from "./deep-fcn.ts";
import { ResNet18 } from "./resnet18.ts";
import { summarizeNetwork } from "./summarize.ts";

test("ResNet-18 has torchvision's parameters, buffers and multiply-adds", () => {
  const { layers, parameters, buffers, flops } = summarizeNetwork(new ResNet18().eval(), [1, 3, 224, 224]);
  expect(parameters).toBe(11_689_512);
  // running means and variances, and num_batches_tracked, of 20 batch norms
  expect(buffers).toBe(9600 + 20);
  // 1.814 G multiply-adds, as torchvision's model page has them
  expect(flops / 2e9).toBeCloseTo(1.814, 3);
  expect(layers[0]).toEqual({
    path: "conv1",
    type: "Conv2d",
    output: [1, 64, 112, 112],
    parameters: 9408,
    flops: 2 * 9408 * 112 * 112,
  });
  expect(layers.at(-1)).toMatchObject({ path: "fc", type: "Linear", output: [1, 1000], parameters: 513_000 });
  expect(layers.reduce((sum, layer) => sum + layer.parameters, 0)).toBe(parameters);
  expect(layers.reduce((sum, layer) => sum + layer.flops, 0)).toBe(flops);
});

test("the notebook's student has 359 million parameters", () => {
  const model = new DeepFCN({ inputs: 150_528 });
  const { parameters, flops } = summarizeNetwork(model.eval(), [4, 3, 224, 224]);
  const weights = 150_528 * 2048 + 2048 * 1024 + 46 * 1024 * 1024 + 1024 * 1000;
  expect(parameters).toBe(weights + 3 * (2048 + 47 * 1024) + 1000);
  expect(flops).toBe(2 * 4 * weights);
});

test("a layer that is called twice counts its parameters once and its work twice", () => {
  class Twice extends nn.Module {
    readonly layer = new nn.Linear(6, 6);
    forward(x: Parameters<nn.Linear["forward"]>[0]) {
      return this.layer.call(this.layer.call(x));
    }
  }
  const { layers, parameters, flops } = summarizeNetwork(new Twice(), [3, 6]);
  expect(parameters).toBe(42);
  expect(flops).toBe(2 * 2 * 3 * 36);
  expect(layers).toEqual([{ path: "layer", type: "Linear", output: [3, 6], parameters: 42, flops }]);
});
