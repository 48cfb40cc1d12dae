import { describe, expect, it } from "vitest";
import type { Precision } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";
import { hostScalar } from "../trace.ts";
import { constant, iota, tensor, where } from "../values.ts";
import { Variable } from "../variable.ts";
import { topological } from "./graph.ts";
import { simplify } from "./simplify.ts";

const x = new Variable([2, 3], 1, { name: "x" }).asTensor();
const y = new Variable([2, 3], 1, { name: "y" }).asTensor();

const simplified = (tensor: Tensor, precision: Precision = "float64"): Tensor =>
  simplify({ outputs: [{ name: "value", tensor }], stores: [] }, precision).outputs[0].tensor;

/** A tensor as people write it; constants by value, Variables by name, movements with their shape. */
function text(tensor: Tensor): string {
  const { op, inputs, attrs, shape } = tensor;
  const own = attrs as { variable?: Variable; value?: number; transposeA?: boolean; transposeB?: boolean } | undefined;
  if (own?.variable) return own.variable.name;
  if (op.name === "constant") return String(own?.value);
  const parts = inputs.map(text);
  if (op.name === "matmul") {
    const [a, b] = parts;
    return `matmul(${a}${own?.transposeA ? "^T" : ""}, ${b}${own?.transposeB ? "^T" : ""})`;
  }
  return `${op.name}${op.family === "movement" ? `[${shape}]` : ""}(${parts.join(", ")})`;
}

describe("simplify", () => {
  it.each<[string, Tensor, string]>([
    ["times one is dropped", x.mul(1), "x"],
    ["divided by one is dropped", x.div(1), "x"],
    ["minus zero is dropped", x.sub(0), "x"],
    ["plus zero stays: -0 + 0 is 0", x.add(0), "add(x, broadcast[2,3](0))"],
    ["minus minus zero stays: -0 - -0 is 0", x.sub(-0), "sub(x, broadcast[2,3](0))"],
    ["plus zero of integers is dropped", iota([3]).add(0), "iota()"],
    ["times zero stays: it may be NaN", x.mul(0), "mul(x, broadcast[2,3](0))"],
    ["detach has done its work", x.detach().add(y.detach()), "add(x, y)"],
    ["constants fold", constant(2).mul(3).add(1).exp(), String(Math.exp(7))],
    ["constants fold through broadcasts", x.mul(constant(2).broadcast([3]).add(1)), "mul(x, broadcast[2,3](3))"],
    ["a constant condition chooses", where(constant(1).less(2), x, y), "x"],
    ["reshapes join", x.reshape([6]).reshape([3, 2]), "reshape[3,2](x)"],
    ["a reshape back vanishes", x.reshape([6]).reshape([2, 3]), "x"],
    ["transposes join and cancel", x.transpose().transpose(), "x"],
    ["a transpose of nothing vanishes", x.transpose([0, 1]), "x"],
    ["matmul takes transposes as attributes", x.transpose().matmul(y), "matmul(x^T, y)"],
    ["and gives them back", x.transpose().matmul(y, { transposeA: true, transposeB: true }), "matmul(x, y^T)"],
  ])("%s", (_, given, expected) => {
    expect(text(simplified(given))).toBe(expected);
  });

  const half = x.cast("f16").cast("f32");
  const wide = y.cast("f16").cast("f32");
  it.each<[string, Tensor, string]>([
    ["halves stored again are the same halves", half.cast("f16").cast("f32"), "castF32(castF16(x))"],
    ["products read halves as they are", half.matmul(y, { transposeB: true }), "matmul(castF16(x), y^T)"],
    ["also through movements", half.transpose().matmul(wide), "matmul(castF16(x)^T, castF16(y))"],
    ["rounding stays", x.cast("f16").cast("f32").add(1), "add(castF32(castF16(x)), broadcast[2,3](1))"],
  ])("%s", (_, given, expected) => {
    expect(text(simplified(given))).toBe(expected);
  });

  it("what is stored as halves exactly is read from there", () => {
    const rectified = half.relu();
    const stored = rectified.cast("f16");
    const later = rectified.mul(2).add(stored.cast("f32"));
    const again = "castF32(castF16(relu(castF32(castF16(x)))))";
    expect(text(simplified(later))).toBe(`add(mul(${again}, broadcast[2,3](2)), ${again})`);
    const rounded = x.tanh();
    const other = rounded.cast("f16").cast("f32").add(rounded);
    expect(text(simplified(other))).toBe("add(castF32(castF16(tanh(x))), tanh(x))");
  });

  it.each<[string, Tensor, number, number]>([
    ["overflow", constant(1e30).mul(1e30).mul(1e-40), Number.POSITIVE_INFINITY, 1e30 * 1e30 * 1e-40],
    ["rounding of operands", constant(0.1).add(0.2).equal(0.3), 1, 0],
    ["equality after rounding", constant(16777216).add(1).equal(16777216), 1, 0],
  ])("folds with the backend's %s", (_, given, float32, float64) => {
    expect(text(simplified(given, "float32"))).toBe(String(float32));
    expect(text(simplified(given, "float64"))).toBe(String(float64));
  });

  it("computes a common subexpression once", () => {
    const sum = simplified(x.add(y).exp().mul(x.add(y).exp()));
    expect(sum.inputs[0]).toBe(sum.inputs[1]);
  });

  it.each<[string, () => Tensor]>([
    ["host scalars", () => hostScalar("rate", () => 1)],
    ["arrays", () => tensor([1, 2])],
  ])("never merges two %s", (_, make) => {
    const sum = simplified(make().add(make()));
    expect(sum.inputs[0]).not.toBe(sum.inputs[1]);
  });

  it("keeps constants apart that differ only on a float64 backend, and 0 from -0", () => {
    const limits = simplified(constant(1e-6).add(constant(1e-6, { float64: 1e-13 })));
    expect(limits.inputs[0]).not.toBe(limits.inputs[1]);
    const zeros = simplified(x.div(0).add(x.div(-0)));
    expect(zeros.inputs[0]).not.toBe(zeros.inputs[1]);
  });

  it("visits nothing that no root needs", () => {
    const graph = { outputs: [{ name: "value", tensor: x.mul(1).add(y.mul(1)) }], stores: [] };
    expect(topological(simplify(graph, "float64")).map(({ op }) => op.name)).toEqual(["variable", "variable", "add"]);
  });
});
