/**
 * Emit: print a group of tensors as one Kernel. Expressions are built from the outputs back to realized
 * tensors (loads), through elementwise and movement ops, on the group's domain.
 */
import type { DType } from "../dtype.ts";
import { exactJson } from "../exact-json.ts";
import type { ElementwiseName } from "../ops/elementwise.ts";
import type { CoreName } from "../ops/index.ts";
import type { ConstantAttrs } from "../ops/leaf.ts";
import type { ReduceAttrs } from "../ops/reduce.ts";
import { elementCount, sameShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { collapse } from "./collapse.ts";
import {
  axisCoordinates,
  type Coordinates,
  coordinatesKey,
  inputCoordinates,
  linearView,
  reshapeCoordinates,
} from "./coordinates.ts";
import { type Core, type Expression, isIdentity, type Kernel } from "./kernel.ts";
import { aliasOf, isBufferLeaf } from "./realize.ts";

/** Tensors computed by one kernel. */
export interface Group {
  /** Reductions over the same axes of one shape, or one core op, or none. */
  readonly cores: readonly Tensor[];
  /** All realized tensors of the group, cores included, in creation order. */
  readonly members: readonly Tensor[];
}

/** A kernel with the tensors its inputs and outputs stand for. */
export interface EmittedKernel {
  readonly kernel: Kernel;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

export interface EmitContext {
  readonly realized: ReadonlySet<Tensor>;
  /** Slot of a host scalar in the plan. */
  slotOf(hostScalar: Tensor): number;
}

/** Raised inside when one kernel cannot compute the group; `emit` then returns undefined. */
class NotOneKernel extends Error {}

class BodyBuilder {
  readonly expressions: Expression[] = [];
  readonly #memo = new Map<string, number>();
  readonly #domain: readonly number[];
  readonly #group: Group;
  readonly #context: EmitContext;
  readonly #inputs: Tensor[];

  constructor(domain: readonly number[], group: Group, context: EmitContext, inputs: Tensor[]) {
    this.#domain = domain;
    this.#group = group;
    this.#context = context;
    this.#inputs = inputs;
  }

  /** Index of the expression that is `tensor` at `coordinates`. */
  read(tensor: Tensor, coordinates: Coordinates): number {
    if (this.#isBuffered(tensor)) return this.#load(tensor, tensor.shape, coordinates);
    return this.define(tensor, coordinates);
  }

  #isBuffered(tensor: Tensor): boolean {
    return isBufferLeaf(tensor) || (this.#context.realized.has(tensor) && !this.#group.members.includes(tensor));
  }

  /** The nearest buffer whose elements a reshape keeps in order: it can be read even where axes straddle. */
  #reshapedBuffer(tensor: Tensor): Tensor | undefined {
    if (tensor.op.name !== "reshape") return undefined;
    const [input] = tensor.inputs;
    return this.#isBuffered(input) ? input : this.#reshapedBuffer(input);
  }

  /** Like `read`, but computes a realized tensor instead of loading it. */
  define(tensor: Tensor, coordinates: Coordinates): number {
    const key = `${tensor.id}:${coordinatesKey(coordinates)}`;
    const known = this.#memo.get(key);
    if (known !== undefined) return known;
    const index = this.#build(tensor, coordinates);
    this.#memo.set(key, index);
    return index;
  }

  #build(tensor: Tensor, coordinates: Coordinates): number {
    const { op, dtype } = tensor;
    switch (op.family) {
      case "leaf":
        return this.#leaf(tensor, coordinates);
      case "movement": {
        const buffer = this.#reshapedBuffer(tensor);
        if (buffer) return this.#load(buffer, tensor.shape, coordinates);
        const inner = inputCoordinates(tensor, coordinates, this.#domain);
        if (!inner) throw new NotOneKernel();
        return this.read(tensor.inputs[0], inner);
      }
      case "elementwise": {
        const args = tensor.inputs.map((input) => this.read(input, coordinates));
        return this.#push({ kind: "apply", op: op.name as ElementwiseName, arguments: args, dtype });
      }
      default: {
        const result = this.#group.cores.indexOf(tensor);
        const view = linearView(coordinates, tensor.shape, this.#domain.length);
        if (result < 0 || !isIdentity(view, this.#domain)) throw new NotOneKernel();
        return this.#push({ kind: "core", result, dtype });
      }
    }
  }

  #leaf(tensor: Tensor, coordinates: Coordinates): number {
    const { op, dtype } = tensor;
    if (op.name === "constant") return this.#push({ ...(tensor.attrs as ConstantAttrs), kind: "constant", dtype });
    if (op.name === "hostScalar") return this.#push({ kind: "scalar", slot: this.#context.slotOf(tensor), dtype });
    if (op.name === "iota")
      return this.#push({ kind: "index", view: linearView(coordinates, tensor.shape, this.#domain.length), dtype });
    return this.#load(tensor, tensor.shape, coordinates);
  }

  /** Loads `tensor`, seen in `shape`. */
  #load(tensor: Tensor, shape: readonly number[], coordinates: Coordinates): number {
    const view = linearView(coordinates, shape, this.#domain.length);
    const dtype: DType = tensor.dtype === "u8" ? "u32" : tensor.dtype;
    return this.#push({ kind: "load", input: inputIndex(this.#inputs, tensor), view, dtype });
  }

  #push(expression: Expression): number {
    const key = expressionKey(expression);
    const known = this.#memo.get(key);
    if (known !== undefined) return known;
    this.#memo.set(key, this.expressions.length);
    return this.expressions.push(expression) - 1;
  }
}

/** Text that equal expressions share. */
function expressionKey(expression: Expression): string {
  switch (expression.kind) {
    case "apply":
      return `${expression.op} ${expression.dtype} ${expression.arguments}`;
    case "load":
      return `load ${expression.input} ${expression.view.offset} ${expression.view.strides}`;
    case "index":
      return `index ${expression.dtype} ${expression.view.offset} ${expression.view.strides}`;
    case "constant":
      return `constant ${expression.dtype} ${exactJson(expression.value)} ${expression.float64}`;
    case "scalar":
      return `scalar ${expression.slot}`;
    case "core":
      return `core ${expression.result}`;
  }
}

function inputIndex(inputs: Tensor[], tensor: Tensor): number {
  const index = inputs.indexOf(tensor);
  return index >= 0 ? index : inputs.push(tensor) - 1;
}

/** Operands of an op core as kernel inputs: one input per operand, even if two share a buffer. */
function operandsOf(core: Tensor): Tensor[] {
  return core.inputs.map(aliasOf);
}

/** The kernel of a group, storing `stored` (members), or undefined where one domain cannot serve all. */
export function emit(group: Group, stored: readonly Tensor[], context: EmitContext): EmittedKernel | undefined {
  try {
    return emitOrThrow(group, stored, context);
  } catch (error) {
    if (error instanceof NotOneKernel) return undefined;
    throw error;
  }
}

function emitOrThrow(group: Group, stored: readonly Tensor[], context: EmitContext): EmittedKernel {
  const [core] = group.cores;
  const domain = (core ?? finest(group.members)).shape;
  const isOp = core !== undefined && core.op.family === "core";
  const inputs: Tensor[] = isOp ? operandsOf(core) : [];
  // an operand that appears twice keeps its own index; body loads of it share the first
  const body = new BodyBuilder(domain, group, context, inputs);
  const identity = axisCoordinates(
    domain.map((_, axis) => axis),
    domain.length,
  );
  const outputs = stored.map((tensor) => {
    const coordinates = sameShape(tensor.shape, domain)
      ? identity
      : reshapeCoordinates(identity, domain, tensor.shape, domain);
    if (!coordinates) throw new NotOneKernel();
    return { type: { shape: tensor.shape, dtype: tensor.dtype }, expression: body.define(tensor, coordinates) };
  });
  const prologue = core?.op.family === "reduce" ? emitReduce(group, domain, context, inputs) : undefined;
  // a core reads from memory, so what it reads cannot be made by its own kernel
  if (inputs.some((input) => group.members.includes(input))) throw new NotOneKernel();
  const whole = collapse(domain, body.expressions, prologue);
  const opCore = isOp
    ? ({
        op: core.op.name as CoreName,
        attrs: core.attrs,
        operands: core.inputs.map(typeOf),
        result: typeOf(core),
      } as Core)
    : undefined;
  const last = stored[stored.length - 1];
  return {
    kernel: {
      label: labelOf(group, body.expressions, last),
      path: last.layer,
      inputs: inputs.map(typeOf),
      domain: whole.domain,
      core: whole.core ?? opCore,
      body: whole.body,
      outputs,
    },
    inputs,
    outputs: stored,
  };
}

function emitReduce(group: Group, domain: readonly number[], context: EmitContext, inputs: Tensor[]) {
  const { axes } = group.cores[0].attrs as ReduceAttrs;
  const shape = group.cores[0].inputs[0].shape;
  const reduced = axes.map((axis) => shape[axis]);
  const full = [...domain, ...reduced];
  let kept = 0;
  let gone = domain.length;
  const coordinates = axisCoordinates(
    shape.map((_, axis) => (axes.includes(axis) ? gone++ : kept++)),
    full.length,
  );
  const body = new BodyBuilder(full, { cores: [], members: [] }, context, inputs);
  const reductions = group.cores.map((core) => ({
    op: (core.attrs as ReduceAttrs).op,
    expression: body.read(core.inputs[0], coordinates),
  }));
  return { reduced, body: body.expressions, reductions };
}

const typeOf = ({ shape, dtype }: Tensor) => ({ shape, dtype });

/** The member whose shape tells most axes apart. */
function finest(members: readonly Tensor[]): Tensor {
  return members.reduce((a, b) =>
    b.shape.filter((size) => size > 1).length > a.shape.filter((size) => size > 1).length ? b : a,
  );
}

function labelOf({ cores }: Group, body: readonly Expression[], { layer }: Tensor): string {
  const names = cores.map(({ op, attrs }) => (op.family === "reduce" ? (attrs as ReduceAttrs).op : op.name));
  const applied = body.flatMap((expression) => (expression.kind === "apply" ? [expression.op] : []));
  const shown = [...names, ...applied.slice(0, 6), ...(applied.length > 6 ? [`${applied.length - 6} more`] : [])];
  return `${layer ? `${layer} ` : ""}${shown.join("+") || "copy"}`;
}

/** Elements of a group's domain. */
export function groupSize({ members }: Group): number {
  return elementCount(members[0].shape);
}
