/** A Graph: what a traced function computes, as data. Tensors in creation order, outputs, stores. */

import { formatShape, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { foreignRead, type Trace } from "../trace.ts";
import type { Variable } from "../variable.ts";

export interface GraphOutput {
  readonly name: string;
  readonly tensor: Tensor;
}

/** The last value assigned to a Variable, stored at the end of the step. */
export interface GraphStore {
  readonly variable: Variable;
  readonly tensor: Tensor;
}

export interface Graph {
  readonly outputs: readonly GraphOutput[];
  readonly stores: readonly GraphStore[];
}

/** The roots of a graph: everything that must be computed. */
export function roots({ outputs, stores }: Graph): Tensor[] {
  return [...outputs, ...stores].map(({ tensor }) => tensor);
}

/** All tensors the roots need, inputs before users. */
export function topological(graph: Graph): Tensor[] {
  const seen = new Set<Tensor>();
  const stack = roots(graph);
  for (let tensor = stack.pop(); tensor; tensor = stack.pop()) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    stack.push(...tensor.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** Refuses inputs and Variable reads that belong to another trace (or to none). */
export function checkTrace(graph: Graph, trace: Trace | undefined): void {
  for (const tensor of topological(graph)) {
    if ((tensor.op.name === "input" || tensor.op.name === "variable") && tensor.trace !== trace)
      throw foreignRead(tensor);
  }
}

/** Refuses outputs of packed bytes and halves, which only a cast reads. */
export function checkOutputs(what: string, { outputs }: Graph): void {
  for (const { name, tensor } of outputs) {
    if (tensor.dtype !== "u8" && tensor.dtype !== "f16") continue;
    throw new ShapeError({
      what,
      facts: `output "${name}" is ${tensor.dtype}${formatShape(tensor.shape)}`,
      expected: "f32, i32, u32 or bool",
      hint: 'Bytes and halves stay inside a step: return x.cast("f32")',
      site: tensor.site,
    });
  }
}

/** The graph with every tensor replaced through `mapping`. */
export function mapGraph({ outputs, stores }: Graph, mapping: (tensor: Tensor) => Tensor): Graph {
  return {
    outputs: outputs.map(({ name, tensor }) => ({ name, tensor: mapping(tensor) })),
    stores: stores.map(({ variable, tensor }) => ({ variable, tensor: mapping(tensor) })),
  };
}
