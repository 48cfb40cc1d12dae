import { expect, it } from "vitest";
import { leaves } from "../ops/index.ts";
import { create, type Tensor } from "../tensor.ts";
import { hostScalar } from "../trace.ts";
import { Cones, Emitter } from "./cones.ts";

const input = (name: string, shape = [4, 6]): Tensor => create(leaves.input, [], { name, shape, dtype: "f32" });
const [x, y] = [input("x"), input("y")];
const slots = [hostScalar("first", () => 1), hostScalar("second", () => 2)];

function contextOf(realized: readonly Tensor[]) {
  return { realized: new Set(realized), slotOf: (scalar: Tensor) => slots.indexOf(scalar) };
}

/** Whether two tensors are the same work on other tensors. */
function alike(a: Tensor, b: Tensor): boolean {
  const cones = new Cones(contextOf([a, b]));
  return cones.of(a).id === cones.of(b).id;
}

it("are equal for the same work on other tensors, and for no other work", () => {
  const work = (a: Tensor, b: Tensor) => a.mul(b).add(2).sum(1);
  expect(alike(work(x, y), work(y, input("z")))).toBe(true);
  expect(alike(work(x, y), work(x, x))).toBe(false);
  expect(alike(x.add(2), x.add(3))).toBe(false);
  expect(alike(x.mul(0), x.mul(-0))).toBe(false);
  expect(alike(x.sub(y), x.add(y))).toBe(false);
  expect(alike(x.sum(0), x.sum(1))).toBe(false);
  expect(alike(x.mul(slots[0]), x.mul(slots[1]))).toBe(false);
  expect(alike(x.neg(), input("w", [6, 4]).neg())).toBe(false);
  expect(alike(x.transpose().matmul(x), y.transpose().matmul(y))).toBe(true);
  expect(alike(x.matmul(y, { transposeB: true }), x.matmul(y, { transposeA: true }))).toBe(false);
});

it("name what is read, each once", () => {
  const sum = x.add(y).mul(x);
  expect(new Cones(contextOf([sum])).of(sum).loads).toEqual([x, y]);
});

it("give groups of equal structure one kernel, with inputs of their own", () => {
  const [a, b] = [x.sub(y).sum(1), y.sub(x).sum(1)];
  const context = contextOf([a, b]);
  const emitter = new Emitter(context, new Cones(context));
  const [first, second] = [a, b].map((sum) => emitter.emit({ cores: [sum], members: [sum] }, [sum]));
  expect(second?.kernel).toBe(first?.kernel);
  expect(first?.inputs).toEqual([x, y]);
  expect(second?.inputs).toEqual([y, x]);
  expect(second?.outputs).toEqual([b]);
});
