/**
 * Builds the expressions of one body: from a tensor at given coordinates back to buffers (loads), through elementwise
 * and movement ops and the members of the kernel's own group.
 */
import type { DType } from "../dtype.ts";
import { exactJson } from "../exact-json.ts";
import type { ElementwiseName } from "../ops/elementwise.ts";
import type { ConstantAttrs } from "../ops/leaf.ts";
import type { Tensor } from "../tensor.ts";
import { type Coordinates, coordinatesKey, inputCoordinates, linearView } from "./coordinates.ts";
import type { EmitContext, Group } from "./emit.ts";
import { type Expression, isIdentity } from "./kernel.ts";
import { isBufferLeaf } from "./realize.ts";

/** Raised inside when one kernel cannot compute the group; `emit` then returns undefined. */
export class NotOneKernel extends Error {}

export class BodyBuilder {
  readonly expressions: Expression[] = [];
  readonly #memo = new Map<string, number>();
  readonly #domain: readonly number[];
  readonly #coreDomain: readonly number[];
  readonly #group: Group;
  readonly #context: EmitContext;
  readonly #inputs: Tensor[];

  /** @param coreDomain the leading dimensions of `domain` over which the results of the group's cores lie; default all */
  constructor(
    domain: readonly number[],
    group: Group,
    context: EmitContext,
    inputs: Tensor[],
    coreDomain: readonly number[] = domain,
  ) {
    this.#domain = domain;
    this.#coreDomain = coreDomain;
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
    const { op } = tensor;
    const dtype = valueDType(tensor);
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
        const { offset, strides } = linearView(coordinates, tensor.shape, this.#domain.length);
        const rank = this.#coreDomain.length;
        const still = strides.every((stride, d) => d < rank || stride === 0 || this.#domain[d] === 1);
        if (result < 0 || !still || !isIdentity({ offset, strides: strides.slice(0, rank) }, this.#coreDomain))
          throw new NotOneKernel();
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
    return this.#push({ kind: "load", input: inputIndex(this.#inputs, tensor), view, dtype: valueDType(tensor) });
  }

  #push(expression: Expression): number {
    const key = expressionKey(expression);
    const known = this.#memo.get(key);
    if (known !== undefined) return known;
    this.#memo.set(key, this.expressions.length);
    return this.expressions.push(expression) - 1;
  }
}

/** The dtype of a tensor's values within a kernel, where nothing is packed. */
function valueDType({ dtype }: Tensor): DType {
  if (dtype === "u8") return "u32";
  return dtype === "f16" ? "f32" : dtype;
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
