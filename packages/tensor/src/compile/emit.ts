/**
 * Emit: print a group of tensors as one Kernel. Expressions are built from the outputs back to realized
 * tensors (loads), through elementwise and movement ops, on the group's domain.
 */
import type { CoreName } from "../ops/index.ts";
import type { MatmulAttrs } from "../ops/matmul.ts";
import type { ReduceAttrs } from "../ops/reduce.ts";
import { elementCount, sameShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { BodyBuilder, NotOneKernel } from "./body-builder.ts";
import { collapse } from "./collapse.ts";
import { axisCoordinates, reshapeCoordinates } from "./coordinates.ts";
import { emitStages, isStaged, type ReduceSpace, reduceSpace } from "./emit-stages.ts";
import { type Core, type Expression, type Kernel, type KernelOutput, mapViews, viewsOf } from "./kernel.ts";
import { aliasOf } from "./realize.ts";

/** Tensors computed by one kernel. */
export interface Group {
  /** Reductions over the same axes of one shape (which may need each other), or one core op, or none. */
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
  const space = core?.op.family === "reduce" ? reduceSpace(core) : undefined;
  const emitted =
    space && isStaged(group, space, context)
      ? emitStages(group, stored, space, context)
      : emitSinglePass(group, stored, space, context);
  const { inputs } = emitted;
  // a core reads from memory, so what it reads cannot be made by its own kernel
  if (inputs.some((input) => group.members.includes(input))) throw new NotOneKernel();
  const kernel = { label: "", path: "", ...emitted, inputs: inputs.map(typeOf) };
  return { kernel: named(kernel, group, stored), inputs, outputs: stored };
}

/** The kernel under the name of the group that it computes. */
export function named(kernel: Kernel, group: Group, stored: readonly Tensor[]): Kernel {
  const last = stored[stored.length - 1];
  return { ...kernel, label: labelOf(group, kernel.body, last), path: last.layer };
}

/** What differs between kinds of kernels; inputs still as tensors. */
export interface EmittedParts extends Omit<Kernel, "label" | "path" | "inputs"> {
  readonly inputs: readonly Tensor[];
}

function emitSinglePass(
  group: Group,
  stored: readonly Tensor[],
  space: ReduceSpace | undefined,
  context: EmitContext,
): EmittedParts {
  const [core] = group.cores;
  const domain = (core ?? finest(group.members)).shape;
  const isOp = core !== undefined && !space;
  // an operand that appears twice keeps its own index; body loads of it share the first
  const inputs: Tensor[] = isOp ? operandsOf(core) : [];
  const body = new BodyBuilder(domain, group, context, inputs);
  const outputs = stored.map((tensor) => storeOver(domain, tensor, body));
  if (!space) {
    const { domain: dimensions, outer } = collapse(domain, body.expressions);
    const opCore = isOp
      ? ({
          op: core.op.name as CoreName,
          attrs: attrsOf(core),
          operands: core.inputs.map(typeOf),
          result: typeOf(core),
        } as Core)
      : undefined;
    return { inputs, domain: dimensions, core: opCore, body: mapViews(body.expressions, outer), outputs };
  }
  const prologue = new BodyBuilder(space.full, { cores: [], members: [] }, context, inputs);
  const reductions = group.cores.map((each) => ({
    op: (each.attrs as ReduceAttrs).op,
    expression: prologue.read(each.inputs[0], space.coordinates),
  }));
  const whole = collapse(domain, body.expressions, space.reduced, viewsOf(prologue.expressions));
  const { reduced } = whole;
  return {
    inputs,
    domain: whole.domain,
    core: { op: "reduce", reduced, body: mapViews(prologue.expressions, whole.inner), reductions },
    body: mapViews(body.expressions, whole.outer),
    outputs,
  };
}

/** A core op's attributes, with what only its operands tell. */
function attrsOf({ op, attrs, inputs }: Tensor): unknown {
  if (op.name !== "matmul" || aliasOf(inputs[0]) !== aliasOf(inputs[1])) return attrs;
  const { transposeA, transposeB } = attrs as MatmulAttrs;
  const gram = transposeA !== transposeB && sameShape(inputs[0].shape, inputs[1].shape);
  return gram ? { transposeA, transposeB, symmetric: true } : attrs;
}

/** The output that stores `tensor` densely over `domain`. */
export function storeOver(domain: readonly number[], tensor: Tensor, body: BodyBuilder): KernelOutput {
  const identity = axisCoordinates(
    domain.map((_, axis) => axis),
    domain.length,
  );
  const coordinates = sameShape(tensor.shape, domain)
    ? identity
    : reshapeCoordinates(identity, domain, tensor.shape, domain);
  if (!coordinates) throw new NotOneKernel();
  return { type: typeOf(tensor), expression: body.define(tensor, coordinates) };
}

export const typeOf = ({ shape, dtype }: Tensor) => ({ shape, dtype });

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
