/**
 * Realize: decide which tensors get a buffer. Everything else is recomputed inside the kernels that read
 * it. Roots, operands and results of cores and reductions are realized; an elementwise tensor is when it ends a core's
 * epilogue, when many use it and it is dear, when a broadcast would repeat its work, or when a kernel would read too
 * many buffers.
 */

import { isWidening } from "../half-tensors.ts";
import type { ElementwiseName } from "../ops/elementwise.ts";
import { elementCount } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { axisCoordinates, inputCoordinates } from "./coordinates.ts";
import { type Graph, roots, topological } from "./graph.ts";

/** Cost of recomputing one element, in simple operations. */
const costs: Partial<Record<ElementwiseName, number>> = {
  exp: 4,
  expm1: 8,
  log: 4,
  log1p: 8,
  sin: 4,
  cos: 4,
  tanh: 8,
  erf: 8,
  sigmoid: 6,
  pow: 8,
  randomBits: 40,
  div: 2,
  sqrt: 2,
  reciprocal: 2,
};

/** With several users, a tensor this dear is stored rather than recomputed: a load and a store cost about as much. */
const RECOMPUTE_LIMIT = 6;

/** A broadcast of a row may repeat this much work: storing it would cost a kernel's buffer, and a load all the same. */
const REPEAT_LIMIT = 1;

/** Leaves that have a buffer of their own. */
export function isBufferLeaf(tensor: Tensor): boolean {
  return tensor.op.name === "input" || tensor.op.name === "variable" || tensor.op.name === "array";
}

/** The tensor whose buffer holds the elements of `tensor` in the same order: reshapes are aliases. */
export function aliasOf(tensor: Tensor): Tensor {
  return tensor.op.name === "reshape" ? aliasOf(tensor.inputs[0]) : tensor;
}

interface Cone {
  readonly cost: number;
  /** Buffers a kernel reads when it recomputes the tensor. */
  readonly loads: ReadonlySet<Tensor>;
}

/** `maxLoads`: most buffers one kernel may read. */
export function realize(graph: Graph, maxLoads: number): Set<Tensor> {
  const tensors = topological(graph);
  const users = new Map<Tensor, Tensor[]>();
  for (const tensor of tensors) {
    for (const input of tensor.inputs) {
      const list = users.get(input);
      if (list) list.push(tensor);
      else users.set(input, [tensor]);
    }
  }

  const realized = new Set<Tensor>(roots(graph));
  for (const tensor of tensors) {
    if (tensor.op.family === "core" || tensor.op.family === "reduce") realized.add(tensor);
    if (tensor.op.family === "core")
      for (const input of tensor.inputs) if (!isBufferLeaf(aliasOf(input))) realized.add(aliasOf(input));
  }
  for (const tensor of tensors) if (tensor.op.family === "core") realized.add(afterEpilogue(tensor, users));

  const cones = new Map<Tensor, Cone>();
  const coneOf = (tensor: Tensor): Cone => {
    if (realized.has(tensor) || isBufferLeaf(tensor)) return { cost: 0, loads: new Set([tensor]) };
    return cones.get(tensor) ?? { cost: 0, loads: new Set() };
  };
  for (const tensor of tensors) {
    if (tensor.inputs.length === 0) continue;
    const parts = () => {
      const loads = new Set<Tensor>();
      for (const input of tensor.inputs) for (const load of coneOf(input).loads) loads.add(load);
      return loads;
    };
    if (tensor.op.family === "movement") splitStraddling(tensor, realized);
    let loads = parts();
    while (loads.size > maxLoads) {
      const widest = tensor.inputs.reduce((a, b) => (coneOf(b).loads.size > coneOf(a).loads.size ? b : a));
      if (coneOf(widest).loads.size <= 1) break;
      realized.add(widest);
      loads = parts();
    }
    const own = tensor.op.family === "elementwise" ? (costs[tensor.op.name as ElementwiseName] ?? 1) : 0;
    const cost = own + tensor.inputs.reduce((sum, input) => sum + coneOf(input).cost, 0);
    cones.set(tensor, { cost, loads });
    if (tensor.op.family !== "elementwise" || loads.size === 0) continue;
    const repeats = (cost > REPEAT_LIMIT || tensor.size === 1) && repeatedBy(tensor, users);
    const dear = (users.get(tensor)?.length ?? 0) > 1 && cost > RECOMPUTE_LIMIT;
    if (repeats || dear) realized.add(tensor);
  }
  return realized;
}

/** Longer chains after a core stay with their readers. */
const EPILOGUE_LENGTH = 8;

/**
 * What is left of a core's result after the elementwise work that alone reads it: the core's kernel stores that for
 * nothing, and readers need not repeat the work, nor load what it reads (bias, mask).
 */
function afterEpilogue(core: Tensor, users: ReadonlyMap<Tensor, readonly Tensor[]>): Tensor {
  let last = core;
  let tensor = core;
  for (let length = 0; length < EPILOGUE_LENGTH; ) {
    const [user, ...others] = users.get(tensor) ?? [];
    if (!user || others.length > 0 || user.size !== core.size) break;
    if (user.op.family === "elementwise") {
      // halves are what is stored: readers widen them for nothing
      if (!isWidening(user)) last = user;
      length++;
    } else if (user.op.name !== "reshape") break;
    tensor = user;
  }
  return last;
}

/** Whether some user, seen through reshapes, broadcasts the tensor to more elements. */
function repeatedBy(tensor: Tensor, users: ReadonlyMap<Tensor, readonly Tensor[]>): boolean {
  return (users.get(tensor) ?? []).some((user) => {
    if (user.op.name === "reshape" || user.op.name === "transpose") return repeatedBy(user, users);
    return user.op.name === "broadcast" && elementCount(user.shape) > elementCount(tensor.shape);
  });
}

/** A reshape that no affine load can express on its own domain reads a realized input instead. */
function splitStraddling(tensor: Tensor, realized: Set<Tensor>): void {
  if (tensor.op.name !== "reshape") return;
  const identity = axisCoordinates(
    tensor.shape.map((_, axis) => axis),
    tensor.rank,
  );
  if (inputCoordinates(tensor, identity, tensor.shape)) return;
  const [input] = tensor.inputs;
  if (!isBufferLeaf(input) && input.inputs.length > 0) realized.add(input);
}
