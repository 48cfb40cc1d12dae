/**
 * Fuse: gather realized tensors into kernels. Every realized tensor starts alone; groups merge where one
 * kernel can do both without a cycle: elementwise work into the core or reduction it follows (epilogue),
 * elementwise groups over the same elements, reductions of one shape in one pass.
 */
import type { ReduceAttrs } from "../ops/reduce.ts";
import { elementCount } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { Cones, Emitter } from "./cones.ts";
import { type EmitContext, type EmittedKernel, type Group, groupSize, named } from "./emit.ts";
import { type Graph, topological } from "./graph.ts";
import { byAge, Groups } from "./groups.ts";
import { type Kernel, mayOverwrite, operandsOf, readsScalars } from "./kernel.ts";
import { realize } from "./realize.ts";

export interface FuseOptions {
  /** Most inputs plus outputs (plus one for host scalars) of a kernel. */
  readonly maxKernelBuffers: number;
  /** Largest tensor in bytes that chained reductions may touch. */
  readonly maxWholeBytes: number;
  /** The Variable leaf whose buffer a stored tensor goes to. */
  readonly oldValueOf: ReadonlyMap<Tensor, Tensor>;
  /** Merge groups at all; off, every realized tensor is a kernel of its own. */
  readonly merge: boolean;
}

/** Operations an epilogue may have: those of Adam on the sum of two gradients fit. Longer ones take registers from the tile. */
const EPILOGUE_LIMIT = 24;

/** Buffers that an epilogue may read beside what its core reads and makes. */
const MOST_OTHER_READS = 6;

/** Elements up to which elementwise groups merge that share no more than a scalar: a dispatch costs more than they do. */
const SMALL = 4096;

/** Elements up to which reductions merge that share none of them. */
const SMALL_REDUCTION = 16384;

/** Chained reductions give each row to one team, so few rows must be short ones. */
const longestRow = (rows: number): number => (rows >= 8 ? 65536 : 16384);

class Fuser {
  readonly #groups: Groups;
  readonly #cones: Cones;
  readonly #emitter: Emitter;
  readonly #options: FuseOptions;
  readonly #after = new Map<Tensor, Map<Tensor, boolean>>();

  constructor(graph: Graph, context: EmitContext, options: FuseOptions) {
    this.#options = options;
    this.#cones = new Cones(context);
    this.#groups = new Groups(graph, context.realized, this.#cones);
    this.#emitter = new Emitter(context, this.#cones);
  }

  kernels(): EmittedKernel[] {
    return this.#groups.byAge().map((group) => {
      const stored = this.#groups.stored(group);
      const emitted = this.#emitter.emit(group, stored);
      if (!emitted) throw new Error(`no kernel for ${group.members.join(", ")}`);
      return { ...emitted, kernel: named(emitted.kernel, group, stored) };
    });
  }

  /** Replaces two groups by one if a kernel can be emitted for it within the limits. */
  #tryMerge(a: Group, b: Group): Group | undefined {
    const merged: Group = {
      cores: [...a.cores, ...b.cores],
      members: [...a.members, ...b.members].sort((x, y) => x.id - y.id),
    };
    const stored = this.#groups.stored(merged);
    if (this.#fewestBuffers(merged, stored) > this.#options.maxKernelBuffers) return undefined;
    const emitted = this.#emitter.emit(merged, stored);
    if (!emitted || !this.#fits(merged, emitted)) return undefined;
    this.#groups.replace([a, b], merged);
    return merged;
  }

  /** Buffers of a group's kernel if every Variable is updated in place. */
  #fewestBuffers(group: Group, stored: readonly Tensor[]): number {
    const needs = this.#groups.needs(group);
    const updates = stored.filter((output) => {
      const leaf = this.#options.oldValueOf.get(output);
      return leaf && needs.includes(leaf);
    });
    return needs.length + stored.length - updates.length;
  }

  #fits(group: Group, emitted: EmittedKernel): boolean {
    const { kernel } = emitted;
    const epilogue = operandsOf(kernel).length > 0 ? kernel.body.filter(({ kind }) => kind === "apply").length : 0;
    return epilogue <= EPILOGUE_LIMIT && this.#isStageable(kernel) && this.#binds(group, emitted);
  }

  /** Whether the backend can bind the buffers that the kernel is sure to have. */
  #binds(group: Group, { kernel, inputs, outputs }: EmittedKernel): boolean {
    const most = this.#options.maxKernelBuffers - (readsScalars(kernel) ? 1 : 0);
    let buffers = new Set(inputs).size + outputs.length;
    for (let o = 0; o < outputs.length && buffers > most; o++)
      if (this.#updatesInPlace(group, kernel, inputs, outputs[o], o)) buffers--;
    return buffers <= most;
  }

  #isStageable({ core, domain, inputs, outputs }: Kernel): boolean {
    if (core?.op !== "stages") return true;
    const types = [...inputs, ...outputs.map(({ type }) => type)];
    return (
      elementCount(core.reduced) <= longestRow(elementCount(domain)) &&
      types.every(({ shape }) => elementCount(shape) * 4 <= this.#options.maxWholeBytes)
    );
  }

  /** Whether an output is sure to take the buffer of the Variable it replaces: all other readers of it come before. */
  #updatesInPlace(group: Group, kernel: Kernel, inputs: readonly Tensor[], output: Tensor, index: number): boolean {
    const leaf = this.#options.oldValueOf.get(output);
    const input = leaf ? inputs.indexOf(leaf) : -1;
    if (!leaf || input < 0 || !mayOverwrite(kernel, index, input)) return false;
    const readers = [...this.#groups.users(leaf)].filter((reader) => !group.members.includes(reader));
    // the latest first: most likely to come after the update, and found soonest if not
    return readers.sort((a, b) => b.id - a.id).every((reader) => this.#comesAfter(output, reader));
  }

  /** Whether `tensor` needs `earlier`, directly or not. */
  #comesAfter(tensor: Tensor, earlier: Tensor): boolean {
    let known = this.#after.get(tensor);
    if (!known) {
      known = new Map();
      this.#after.set(tensor, known);
    }
    let after = known.get(earlier);
    if (after === undefined) {
      after = this.#reads(tensor, earlier);
      known.set(earlier, after);
    }
    return after;
  }

  #reads(tensor: Tensor, earlier: Tensor): boolean {
    const seen = new Set<Tensor>();
    const pending = [tensor];
    for (let next = pending.pop(); next; next = pending.pop()) {
      if (next === earlier) return true;
      // what a tensor needs is older than it
      if (next.id < earlier.id || seen.has(next) || !this.#groups.has(next)) continue;
      seen.add(next);
      pending.push(...this.#cones.of(next).loads);
    }
    return false;
  }

  /** Elementwise groups into the group before them. */
  mergeDown(): void {
    for (const start of this.#groups.byAge()) {
      let group = this.#groups.of(start.members[0]);
      if (group.cores.length > 0) continue;
      const size = groupSize(group);
      const before = [...this.#groups.dependencies(group)].filter((other) => groupSize(other) === size);
      // cores first, the latest first: that is where the loaded value was just made
      before.sort(
        (a, b) => Number(b.cores.length > 0) - Number(a.cores.length > 0) || b.members[0].id - a.members[0].id,
      );
      for (const other of before) {
        if (other.cores.length > 0 && (group.cores.length > 0 || this.#readsMore(group, other))) continue;
        if (this.#groups.order.reaches(group, other, false)) continue;
        group = this.#tryMerge(other, group) ?? group;
      }
    }
  }

  /** Whether a group reads so much else that it is no epilogue: an update reads its Variable, two moments and a flag. */
  #readsMore(group: Group, other: Group): boolean {
    const known = new Set([...other.members, ...this.#groups.needs(other)]);
    return this.#groups.needs(group).filter((need) => !known.has(need)).length > MOST_OTHER_READS;
  }

  /** Groups side by side that read the same elements: elementwise with elementwise, reductions with reductions. */
  mergeAcross(): void {
    for (const shared of this.#groups.read()) {
      const users = [...this.#groups.users(shared)].map((user) => this.#groups.of(user));
      for (const siblings of gather([...new Set(users)].sort(byAge), (group) => siblingKey(group, shared)))
        this.#mergeSiblings(siblings);
    }
  }

  #mergeSiblings(siblings: Group[]): void {
    const { order } = this.#groups;
    for (let i = 0; i < siblings.length; i++) {
      for (let j = i + 1; j < siblings.length; j++) {
        const [a, b] = [siblings[i], siblings[j]];
        if (order.reaches(b, a, true) || order.reaches(a, b, true)) continue;
        const merged = this.#tryMerge(a, b);
        if (!merged) continue;
        siblings[i] = merged;
        siblings.splice(j--, 1);
      }
    }
  }

  /** Reductions with what needs them: further reductions of the same space, and elementwise groups over it or its rows. */
  mergeStages(): void {
    for (const start of this.#groups.byAge()) {
      let group = this.#groups.of(start.members[0]);
      if (group.cores[0]?.op.family !== "reduce") continue;
      const refused = new Set<Group>();
      for (;;) {
        const next = this.#stageCandidates(group).find(
          (other) => !refused.has(other) && !this.#reachesThroughOthers(group, other),
        );
        if (!next) break;
        const merged = this.#tryMerge(group, next);
        if (merged) group = merged;
        else refused.add(next);
      }
    }
  }

  /** Groups that may join a group of reductions: those that save the most traffic first. */
  #stageCandidates(group: Group): Group[] {
    const [{ size }] = group.cores;
    const after = [...this.#groups.dependents(group)].filter((user) => this.#followsRows(group, user));
    const before = [...this.#groups.dependencies(group)].filter(
      (need) => need.cores.length === 0 && groupSize(need) === size,
    );
    const rank = (other: Group) => (other.cores.length > 0 ? 0 : groupSize(other) > size ? 1 : 2);
    return [...after, ...before].sort((a, b) => rank(a) - rank(b) || byAge(a, b));
  }

  /** Small reductions of the same space that share nothing: a dispatch costs more than they do. */
  mergeApart(): void {
    const alike = gather(this.#groups.byAge(), ({ cores }) =>
      cores[0]?.op.family === "reduce" && cores[0].inputs[0].size <= SMALL_REDUCTION
        ? `${cores.length} ${spaceOf(cores[0])}`
        : undefined,
    );
    for (const [first, ...others] of alike) {
      let group = first;
      for (const next of others)
        group = (!this.#reachesThroughOthers(group, next) && this.#tryMerge(group, next)) || next;
    }
  }

  /** Whether one of the groups needs the other through a third, which then could neither come before nor after both. */
  #reachesThroughOthers(a: Group, b: Group): boolean {
    const { order } = this.#groups;
    return order.reaches(a, b, false) || order.reaches(b, a, false);
  }

  #followsRows(group: Group, user: Group): boolean {
    const [core] = group.cores;
    if (user.cores.length > 0) return user.cores[0].op.family === "reduce" && spaceOf(core) === spaceOf(user.cores[0]);
    return user.members.every(({ size }) => size === core.size || size === core.inputs[0].size);
  }
}

/** The index space of a reduction as text. */
function spaceOf({ attrs, inputs }: Tensor): string {
  return `${(attrs as ReduceAttrs).axes} of ${inputs[0].shape}`;
}

/** Text that groups share which may merge because they read `shared`. */
function siblingKey(group: Group, shared: Tensor): string | undefined {
  const [core] = group.cores;
  if (core) return core.op.family === "reduce" && shared.size === core.inputs[0].size ? spaceOf(core) : undefined;
  const size = groupSize(group);
  return shared.size === size || size <= SMALL ? `elementwise ${size}` : undefined;
}

/** Groups that share a text, in their order; those without one are left out. */
function gather(groups: readonly Group[], keyOf: (group: Group) => string | undefined): Group[][] {
  const gathered = new Map<string, Group[]>();
  for (const group of groups) {
    const key = keyOf(group);
    if (key === undefined) continue;
    const list = gathered.get(key);
    if (list) list.push(group);
    else gathered.set(key, [group]);
  }
  return [...gathered.values()];
}

/** The kernels of a graph, in no particular order. */
export function fuse(graph: Graph, slotOf: (hostScalar: Tensor) => number, options: FuseOptions): EmittedKernel[] {
  // one output and the host scalars need a buffer each
  const realized = options.merge ? realize(graph, options.maxKernelBuffers - 2) : realizeAll(graph);
  const fuser = new Fuser(graph, { realized, slotOf }, options);
  if (options.merge) {
    fuser.mergeDown();
    fuser.mergeAcross();
    fuser.mergeDown();
    fuser.mergeStages();
    fuser.mergeApart();
  }
  return fuser.kernels();
}

/** Fusion off: every elementwise tensor is stored too. */
function realizeAll(graph: Graph): Set<Tensor> {
  const realized = realize(graph, Number.POSITIVE_INFINITY);
  for (const tensor of topological(graph)) {
    if (tensor.op.family === "elementwise") realized.add(tensor);
    if (tensor.op.name === "reshape" && tensor.inputs[0].op.family === "movement") realized.add(tensor.inputs[0]);
  }
  return realized;
}
