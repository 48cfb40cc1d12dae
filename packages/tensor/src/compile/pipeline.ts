/** The compiler's stages in order: simplify, fuse, schedule, place. */
import type { Backend } from "../backend/backend.ts";
import { elementBytes, type TensorType } from "../dtype.ts";
import { elementwiseOps, leaves } from "../ops/index.ts";
import { elementCount } from "../shape.ts";
import { create, type Tensor } from "../tensor.ts";
import type { Variable } from "../variable.ts";
import { fuse } from "./fuse.ts";
import { type Graph, mapGraph, topological } from "./graph.ts";
import { checkHalves, checkKernels } from "./limits.ts";
import { type PlacedPlan, place } from "./memory.ts";
import { schedule } from "./schedule.ts";
import { dropGradientOps, simplify } from "./simplify.ts";

/** Switches for tests: every combination gives the same values. */
export interface CompileOptions {
  readonly simplify?: boolean;
  readonly fuse?: boolean;
  readonly reuseBuffers?: boolean;
}

/** A plan with what its leaves stand for. */
export interface CompiledGraph extends PlacedPlan {
  /** Host scalars in slot order. */
  readonly hostScalars: readonly Tensor[];
}

/** Roots that are leaves, or roots twice, get a copy of their own to store. */
function separateRoots(graph: Graph): Graph {
  const seen = new Set<Tensor>();
  return mapGraph(graph, (tensor) => {
    const own = tensor.inputs.length > 0 && !seen.has(tensor);
    const result = own ? tensor : create(elementwiseOps.detach, [tensor], undefined);
    seen.add(result);
    return result;
  });
}

/** Compiles a graph for `backend`. */
export function compileGraph(graph: Graph, backend: Backend, options: CompileOptions = {}): CompiledGraph {
  const simple = separateRoots(
    options.simplify === false ? dropGradientOps(graph) : simplify(graph, backend.precision),
  );
  const tensors = topological(simple);
  checkHalves(backend, tensors);
  const hostScalars = tensors.filter(({ op }) => op.name === "hostScalar");
  const leafOfVariable = new Map<Variable, Tensor>();
  for (const tensor of tensors)
    if (tensor.op.name === "variable") leafOfVariable.set((tensor.attrs as { variable: Variable }).variable, tensor);
  const oldValueOf = new Map(
    simple.stores.map(({ variable, tensor }) => [
      tensor,
      leafOfVariable.get(variable) ?? create(leaves.variable, [], { variable }),
    ]),
  );
  const kernels = fuse(simple, (tensor) => hostScalars.indexOf(tensor), {
    maxKernelBuffers: backend.limits.maxKernelBuffers,
    maxWholeBytes: backend.limits.maxWholeBytes,
    oldValueOf,
    merge: options.fuse !== false,
  });
  const bytesOf = ({ shape, dtype }: TensorType) =>
    Math.ceil((elementCount(shape) * elementBytes(dtype, backend.precision)) / 4) * 4;
  checkKernels(backend, kernels, bytesOf);
  const placed = place(schedule(kernels, oldValueOf, bytesOf), simple, {
    bytesOf,
    lower: (kernel, overwrites) => backend.lower(kernel, overwrites),
    oldValueOf,
    scalars: hostScalars.map(({ dtype }) => dtype),
    reuse: options.reuseBuffers !== false,
  });
  return { ...placed, hostScalars };
}
