// Central differences: the slopes of a function, and of its gradients, against what grad says.

import { type Backend, compile, grad, type InputSpec, type Tensor, type TensorType, tensor } from "@guidance/tensor";
import fc from "fast-check";
import { expect } from "vitest";

/** Step of the differences: well below the distance of the cases' values from any kink. */
const STEP = 2 ** -12;
/** With two steps combined, the error of a difference is of order STEP^4 times a fifth derivative. */
const TOLERANCE = 1e-6;

/** Fixed numbers between -1 and 1, another list for every `salt`. */
const weights = (count: number, salt: number): Float64Array<ArrayBuffer> =>
  Float64Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * salt));

/** Sum of x times fixed weights: a scalar that depends on every element in its own way. */
export const project = (x: Tensor, salt: number): Tensor => x.mul(tensor(weights(x.size, salt), x.shape)).sum();

const total = (parts: readonly Tensor[]): Tensor => parts.reduce((sum, part) => sum.add(part));

type Values = Readonly<Record<string, Float64Array<ArrayBuffer>>>;

/** A function of tensors, and where to take its slopes. */
export interface SlopeCase {
  readonly inputs: readonly (TensorType & { readonly values: Float64Array<ArrayBuffer> })[];
  apply(inputs: readonly Tensor[]): Tensor;
}

/**
 * Checks the slopes of a loss that bends in the case's result, and those of its gradients' weighted sum, along one
 * direction per float input.
 *
 * @param backend computes in float64
 */
export async function checkSlopes(backend: Backend, { inputs, apply }: SlopeCase): Promise<void> {
  const names = inputs.map((_, i) => `x${i}`);
  const floats = names.filter((_, i) => inputs[i].dtype === "f32");
  if (floats.length === 0) return;
  const specs = Object.fromEntries(
    inputs.map(({ shape, dtype }, i): [string, InputSpec] => [names[i], { shape, dtype }]),
  );
  const step = await compile(backend, specs, (symbols) => {
    const targets = floats.map((name) => symbols[name]);
    // every target is reached, even through an op without a gradient
    const linear = (salt: number) => total(targets.map((target, i) => project(target, salt + i)));
    const result = apply(names.map((name) => symbols[name])).cast("f32");
    const loss = total([project(result, 1), project(result.mul(result), 2), linear(3)]);
    const first = grad(loss, targets);
    const slope = total([...first.map((gradient, i) => project(gradient, 10 + i)), linear(20)]);
    const second = grad(slope, targets);
    const named = (prefix: string, list: readonly Tensor[]) => list.map((tensor, i) => [prefix + floats[i], tensor]);
    return Object.fromEntries([["loss", loss], ["slope", slope], ...named("d", first), ...named("dd", second)]);
  });
  const values: Values = Object.fromEntries(inputs.map((input, i) => [names[i], input.values]));
  const outputs = await step(values);
  // the largest of nothing is infinite
  fc.pre(Number.isFinite(outputs.loss.item()));
  for (const [i, name] of floats.entries()) {
    const direction = weights(values[name].length, 30 + i);
    const along = async (distance: number) => {
      const moved = values[name].map((value, j) => value + distance * direction[j]);
      return step({ ...values, [name]: moved });
    };
    const difference = async (output: string, distance: number) =>
      ((await along(distance))[output].item() - (await along(-distance))[output].item()) / (2 * distance);
    for (const [output, gradient] of [
      ["loss", outputs[`d${name}`]],
      ["slope", outputs[`dd${name}`]],
    ] as const) {
      const expected = (4 * (await difference(output, STEP / 2)) - (await difference(output, STEP))) / 3;
      const parts = [...gradient.data].map((value, j) => value * direction[j]);
      const scale = parts.reduce((sum, part) => sum + Math.abs(part), 1 + Math.abs(outputs[output].item()));
      const slope = parts.reduce((sum, part) => sum + part, 0);
      expect(Math.abs(slope - expected) / scale, `${output} along ${name}`).toBeLessThan(TOLERANCE);
    }
  }
  step.close();
}
