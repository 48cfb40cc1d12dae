/**
 * Simplify: dead code (nothing that no root needs is visited), common subexpressions, constants, and
 * movements that do nothing or that a matmul takes as an attribute. Values never change, not even for
 * NaN or infinity: what is folded is rounded as the backend rounds.
 */

import type { DType, Precision } from "../dtype.ts";
import { exactJson } from "../exact-json.ts";
import { holdsHalves, isWidening } from "../half-tensors.ts";
import type { ElementwiseName } from "../ops/elementwise.ts";
import { type CoreName, coreOps, elementwiseOps, elementwiseRows, leaves, movements } from "../ops/index.ts";
import type { ConstantAttrs } from "../ops/leaf.ts";
import type { MatmulAttrs } from "../ops/matmul.ts";
import type { TransposeAttrs } from "../ops/movement.ts";
import { withLayer, withoutSites } from "../scope.ts";
import { sameShape } from "../shape.ts";
import { create, type Tensor } from "../tensor.ts";
import { type Graph, mapGraph, topological } from "./graph.ts";

/** The constant a tensor is everywhere, or undefined. */
function constantOf(tensor: Tensor): ConstantAttrs | undefined {
  if (tensor.op.name === "constant") return tensor.attrs as ConstantAttrs;
  return tensor.op.name === "broadcast" || tensor.op.name === "reshape" ? constantOf(tensor.inputs[0]) : undefined;
}

const isValue = (tensor: Tensor, value: number): boolean => {
  const attrs = constantOf(tensor);
  return attrs !== undefined && Object.is(attrs.value, value) && attrs.float64 === undefined;
};

function fill(value: number, tensor: Tensor): Tensor {
  return create(leaves.constant, [], { value, dtype: tensor.dtype }).broadcast(tensor.shape);
}

/** `value` as a backend of this precision holds it in `dtype`. */
const rounded = (value: number, dtype: DType, precision: Precision): number =>
  dtype === "f32" && precision === "float32" ? Math.fround(value) : value;

/** An equal but simpler tensor for an elementwise op, or undefined. */
function simplifyElementwise(tensor: Tensor, inputs: readonly Tensor[], precision: Precision): Tensor | undefined {
  const name = tensor.op.name as ElementwiseName;
  const [a, b, c] = inputs;
  if (name === "detach") return a;
  if ((name === "mul" || name === "div") && isValue(b, 1)) return a;
  if (name === "mul" && isValue(a, 1)) return b;
  if ((name === "add" || name === "sub") && isValue(b, 0) && b.dtype !== "f32") return a;
  if (name === "sub" && isValue(b, 0)) return a;
  if (name === "where") {
    const condition = constantOf(a);
    if (condition) return condition.value ? b : c;
  }
  if (name === "castF32" && a.dtype === "f32") return a;
  if (name === "castF16" && isWidening(a)) return a.inputs[0];
  const constants = inputs.map(constantOf);
  const plain = constants.every((attrs) => attrs && attrs.float64 === undefined);
  const integerSafe = tensor.dtype === "f32" || tensor.dtype === "bool";
  if (plain && integerSafe && name !== "randomBits") {
    // operands and results are rounded as the backend would: 1e30 * 1e30 is infinite in float32
    const [x = 0, y = 0, z = 0] = constants.map((attrs) => attrs && rounded(attrs.value, attrs.dtype, precision));
    return fill(rounded(elementwiseRows[name].evaluate(x, y, z, 0), tensor.dtype, precision), tensor);
  }
  return undefined;
}

/** Swaps only the last two axes. */
function swapsLastTwo({ op, attrs }: Tensor): boolean {
  if (op.name !== "transpose") return false;
  const { axes } = attrs as TransposeAttrs;
  const rank = axes.length;
  return rank >= 2 && axes.every((axis, i) => axis === (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
}

/** Ops that take f16 for f32 operands. */
const readsHalves: ReadonlySet<string> = new Set<CoreName>([
  "matmul",
  "conv2d",
  "conv2dInputGrad",
  "conv2dWeightGrad",
  "maxPool2dIndex",
  "poolGather",
]);

function simplifyOne(tensor: Tensor, inputs: readonly Tensor[], precision: Precision): Tensor | undefined {
  const [x] = inputs;
  // a movement passes what is stored, and a product reads it as it is
  if (tensor.op.family === "movement" && isWidening(x))
    return create(tensor.op, [x.inputs[0]], tensor.attrs).cast("f32");
  if (readsHalves.has(tensor.op.name) && inputs.some(isWidening)) {
    const operands = inputs.map((input) => (isWidening(input) ? input.inputs[0] : input));
    const narrow = create(tensor.op, operands, tensor.attrs);
    return simplifyOne(narrow, operands, precision) ?? narrow;
  }
  switch (tensor.op.name) {
    case "reshape": {
      const base = x.op.name === "reshape" ? x.inputs[0] : x;
      if (sameShape(base.shape, tensor.shape)) return base;
      return base === x ? undefined : create(movements.reshape, [base], { shape: tensor.shape });
    }
    case "transpose": {
      const { axes } = tensor.attrs as TransposeAttrs;
      if (axes.every((axis, i) => axis === i)) return x;
      if (x.op.name !== "transpose") return undefined;
      const inner = (x.attrs as TransposeAttrs).axes;
      const both = axes.map((axis) => inner[axis]);
      return both.every((axis, i) => axis === i)
        ? x.inputs[0]
        : create(movements.transpose, [x.inputs[0]], { axes: both });
    }
    case "broadcast": {
      if (sameShape(x.shape, tensor.shape)) return x;
      return x.op.name === "broadcast"
        ? create(movements.broadcast, [x.inputs[0]], { shape: tensor.shape })
        : undefined;
    }
    case "matmul": {
      const [a, b] = inputs;
      const attrs = tensor.attrs as MatmulAttrs;
      if (!swapsLastTwo(a) && !swapsLastTwo(b)) return undefined;
      return create(coreOps.matmul, [swapsLastTwo(a) ? a.inputs[0] : a, swapsLastTwo(b) ? b.inputs[0] : b], {
        transposeA: attrs.transposeA !== swapsLastTwo(a),
        transposeB: attrs.transposeB !== swapsLastTwo(b),
      });
    }
    default:
      return tensor.op.name in elementwiseOps ? simplifyElementwise(tensor, inputs, precision) : undefined;
  }
}

/** Text that equal subexpressions share; leaves with an identity (inputs, Variables, host scalars, arrays) never share. */
function subexpressionKey(tensor: Tensor, ids: ReadonlyMap<Tensor, number>): string {
  const { op, inputs, attrs, shape, dtype } = tensor;
  const identity = op.family === "leaf" && op.name !== "constant" && op.name !== "iota";
  const text = identity ? `#${tensor.id}` : exactJson(attrs);
  return `${op.name} ${inputs.map((input) => ids.get(input)).join(",")} ${text} ${dtype} ${shape}`;
}

/** The simplified graph for a backend of `precision`; every tensor keeps the layer path of the one it stands for. */
export function simplify(graph: Graph, precision: Precision): Graph {
  return withoutSites(() => rewrite(graph, (tensor, inputs) => simplifyOne(tensor, inputs, precision), shareEqual()));
}

/** The graph without the ops that only gradients see; `simplify` leaves them out too. */
export function dropGradientOps(graph: Graph): Graph {
  return withoutSites(() =>
    rewrite(
      graph,
      () => undefined,
      (tensor) => tensor,
    ),
  );
}

/** Maps each tensor to the first equal one it has seen. */
function shareEqual(): (tensor: Tensor) => Tensor {
  const ids = new Map<Tensor, number>();
  const unique = new Map<string, Tensor>();
  const intern = (tensor: Tensor): Tensor => {
    for (const input of tensor.inputs) if (!ids.has(input)) intern(input);
    const key = subexpressionKey(tensor, ids);
    const known = unique.get(key) ?? tensor;
    unique.set(key, known);
    if (!ids.has(known)) ids.set(known, ids.size);
    ids.set(tensor, ids.get(known) ?? 0);
    return known;
  };
  return intern;
}

/** Rebuilds the graph from the inputs on: `rule` may give a simpler tensor, `share` an equal one. */
function rewrite(
  graph: Graph,
  rule: (tensor: Tensor, inputs: readonly Tensor[]) => Tensor | undefined,
  share: (tensor: Tensor) => Tensor,
): Graph {
  const replacement = new Map<Tensor, Tensor>();
  for (const tensor of topological(graph)) {
    const inputs = tensor.inputs.map((input) => replacement.get(input) ?? input);
    const result = withLayer(tensor.layer, () => {
      if (tensor.op.name === "custom") return inputs[0];
      const simpler = rule(tensor, inputs);
      if (simpler) return simpler;
      // made anew even when unchanged, so that ids keep following the program's order
      return inputs.length === 0 ? tensor : create(tensor.op, inputs, tensor.attrs);
    });
    const shared = share(result);
    replacement.set(tensor, shared);
    // values that f16 holds exactly are read from there from now on, and not stored twice
    if (shared.op.name === "castF16" && holdsHalves(shared.inputs[0])) {
      replacement.set(tensor.inputs[0], share(withLayer(tensor.layer, () => shared.cast("f32"))));
    }
  }
  return mapGraph(graph, (tensor) => replacement.get(tensor) ?? tensor);
}
