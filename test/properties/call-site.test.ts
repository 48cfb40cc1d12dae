// Errors point into the user's code, not into the engine: this file is such code.

import { compile, cpuBackend, f32, grad, nn, type Tensor, tensor } from "@guidance/tensor";
import { expect, it } from "vitest";

const here = /at .*call-site\.test\.ts:\d+:\d+$/;
const message = async (failing: () => unknown): Promise<string> => {
  try {
    await failing();
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing was thrown";
};

class Student extends nn.Module {
  readonly fc1 = new nn.Linear(4, 3);
  readonly fc2 = new nn.Linear(5, 2);
  forward(x: Tensor): Tensor {
    return this.fc2.call(this.fc1.call(x));
  }
}

it.each<[string, () => unknown]>([
  ["operands that do not fit", () => tensor([1, 2]).add(tensor([1, 2, 3]))],
  ["a product that does not fit", () => tensor([1, 2], [1, 2]).matmul(tensor([1, 2, 3], [3, 1]))],
  ["a reshape to another size", () => tensor([1, 2]).reshape([3])],
  ["a wrong axis", () => tensor([1, 2]).sum(1)],
  ["too few values", () => tensor([1, 2], [3])],
  ["a loss that is no number", () => grad(tensor([1, 2]), [tensor([1])])],
  [
    "a layer that does not fit",
    () => compile(cpuBackend(), { x: f32(8, 4) }, ({ x }) => ({ y: new Student().named("student").call(x) })),
  ],
])("an error of %s ends with the place of the call", async (_, failing) => {
  expect(await message(failing)).toMatch(here);
});

it("a shape error inside a model names the layer", async () => {
  const student = new Student().named("student");
  const failing = () => compile(cpuBackend(), { x: f32(8, 4) }, ({ x }) => ({ y: student.call(x) }));
  expect(await message(failing)).toMatch(/^linear in "student.fc2": x is \[8, 3\], weight is \[2, 5\]\./);
});
