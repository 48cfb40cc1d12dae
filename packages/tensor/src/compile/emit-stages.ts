/**
 * Emits groups whose reductions need each other, or that store tensors of the whole space they reduce: one kernel with
 * a stage for each reduction that waits for another, e.g. mean, variance and normalized values of a batch norm.
 */
import type { ReduceAttrs } from "../ops/reduce.ts";
import { elementCount } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { BodyBuilder, NotOneKernel } from "./body-builder.ts";
import { collapse } from "./collapse.ts";
import { axisCoordinates, type Coordinates, linearView, reshapeCoordinates } from "./coordinates.ts";
import { type EmitContext, type EmittedParts, type Group, storeOver, typeOf } from "./emit.ts";
import { type KernelOutput, mapViews, viewsOf } from "./kernel.ts";
import { isBufferLeaf } from "./realize.ts";

/** The index space of a reduction: kept dimensions, then reduced ones. */
export interface ReduceSpace {
  readonly shape: readonly number[];
  readonly kept: readonly number[];
  readonly reduced: readonly number[];
  readonly full: readonly number[];
  /** Of the reduced tensor's axes. */
  readonly coordinates: Coordinates;
}

export function reduceSpace(core: Tensor): ReduceSpace {
  const { axes } = core.attrs as ReduceAttrs;
  const { shape } = core.inputs[0];
  const kept = core.shape;
  const reduced = axes.map((axis) => shape[axis]);
  const full = [...kept, ...reduced];
  let nextKept = 0;
  let nextReduced = kept.length;
  const coordinates = axisCoordinates(
    shape.map((_, axis) => (axes.includes(axis) ? nextReduced++ : nextKept++)),
    full.length,
  );
  return { shape, kept, reduced, full, coordinates };
}

/** Whether a group of reductions takes more than one pass. */
export function isStaged(group: Group, space: ReduceSpace, context: EmitContext): boolean {
  const stageOf = stagesOf(group, context);
  return group.members.some((member) => isWide(member, group, space) || stageOf(member) > 1);
}

/** Whether a member has an element for each of the whole space. */
function isWide(member: Tensor, group: Group, { shape, kept }: ReduceSpace): boolean {
  return !group.cores.includes(member) && member.size === elementCount(shape) && member.size !== elementCount(kept);
}

/**
 * The first stage that can compute a tensor: the one after the last reduction of the group that it needs. For such a
 * reduction itself, the one after its own.
 */
function stagesOf(group: Group, { realized }: EmitContext): (tensor: Tensor) => number {
  const members = new Set(group.members);
  const cores = new Set(group.cores);
  const known = new Map<Tensor, number>();
  const stageOf = (tensor: Tensor): number => {
    if (isBufferLeaf(tensor) || (realized.has(tensor) && !members.has(tensor))) return 0;
    let stage = known.get(tensor);
    if (stage === undefined) {
      stage = Math.max(0, ...tensor.inputs.map((input) => stageOf(input))) + (cores.has(tensor) ? 1 : 0);
      known.set(tensor, stage);
    }
    return stage;
  };
  return stageOf;
}

export function emitStages(
  group: Group,
  stored: readonly Tensor[],
  space: ReduceSpace,
  context: EmitContext,
): EmittedParts {
  const { shape, kept, reduced, full, coordinates } = space;
  const stageOf = stagesOf(group, context);
  // results are numbered in the order of the stages
  const cores = [...group.cores].sort((a, b) => stageOf(a) - stageOf(b));
  const ordered: Group = { cores, members: group.members };
  const inputs: Tensor[] = [];
  const wide = stored.filter((tensor) => isWide(tensor, group, space));
  const count = Math.max(...cores.map((core) => stageOf(core)), ...wide.map((tensor) => stageOf(tensor) + 1));
  const bodies = Array.from({ length: count }, () => new BodyBuilder(full, ordered, context, inputs, kept));
  const stages = bodies.map((body, stage) =>
    cores
      .filter((core) => stageOf(core) === stage + 1)
      .map((core) => ({
        op: (core.attrs as ReduceAttrs).op,
        expression: body.read(core.inputs[0], coordinates),
      })),
  );
  const body = new BodyBuilder(kept, ordered, context, inputs);
  const outputs = stored.map((tensor): KernelOutput => {
    if (!wide.includes(tensor)) return storeOver(kept, tensor, body);
    const stage = stageOf(tensor);
    const own = reshapeCoordinates(coordinates, shape, tensor.shape, full);
    if (!own) throw new NotOneKernel();
    const view = linearView(coordinates, shape, full.length);
    return { type: typeOf(tensor), expression: bodies[stage].define(tensor, own), wide: { stage, view } };
  });
  const inner = bodies.flatMap(({ expressions }) => viewsOf(expressions));
  const whole = collapse(kept, body.expressions, reduced, [
    ...inner,
    ...outputs.flatMap(({ wide }) => (wide ? [wide.view] : [])),
  ]);
  return {
    inputs,
    domain: whole.domain,
    core: {
      op: "stages",
      reduced: whole.reduced,
      stages: bodies.map(({ expressions }, stage) => ({
        body: mapViews(expressions, whole.inner),
        reductions: stages[stage],
      })),
    },
    body: mapViews(body.expressions, whole.outer),
    outputs: outputs.map((output) =>
      output.wide ? { ...output, wide: { ...output.wide, view: whole.inner(output.wide.view) } } : output,
    ),
  };
}
