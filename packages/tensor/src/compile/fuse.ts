/**
 * Fuse: gather realized tensors into kernels. Every realized tensor starts alone; groups merge where one
 * kernel can do both without a cycle: elementwise work into the core or reduction it follows (epilogue),
 * elementwise groups over the same elements, reductions of one shape in one pass.
 */
import type { ReduceAttrs } from "../ops/reduce.ts";
import { elementCount, sameShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { type EmitContext, type EmittedKernel, emit, type Group, groupSize } from "./emit.ts";
import { type Graph, roots, topological } from "./graph.ts";
import { type Kernel, mayOverwrite, operandsOf, readsScalars } from "./kernel.ts";
import { Order } from "./order.ts";
import { aliasOf, isBufferLeaf, realize } from "./realize.ts";

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

/** Single tensors in creation order come after what they need; merged groups by their oldest member. */
const byAge = (a: Group, b: Group): number => a.members[0].id - b.members[0].id;

class Fuser {
  readonly #groupOf = new Map<Tensor, Group>();
  readonly #needs = new Map<Tensor, readonly Tensor[]>();
  /** A group never changes: merging makes a new one. */
  readonly #groupNeeds = new WeakMap<Group, readonly Tensor[]>();
  readonly #users = new Map<Tensor, Set<Tensor>>();
  readonly #readersAfter = new Map<Tensor, Set<Tensor>>();
  readonly #order: Order<Group>;
  readonly #roots: ReadonlySet<Tensor>;
  readonly #context: EmitContext;
  readonly #options: FuseOptions;

  constructor(graph: Graph, realized: ReadonlySet<Tensor>, context: EmitContext, options: FuseOptions) {
    this.#context = context;
    this.#options = options;
    this.#roots = new Set(roots(graph));
    this.#findNeeds();
    for (const tensor of realized) {
      const needs = this.#needs.get(tensor);
      // nothing reads it: a core sees its operand through reshapes
      if (!needs) continue;
      this.#groupOf.set(tensor, {
        cores: tensor.op.family === "core" || tensor.op.family === "reduce" ? [tensor] : [],
        members: [tensor],
      });
      for (const need of needs) this.#users.set(need, (this.#users.get(need) ?? new Set()).add(tensor));
    }
    this.#order = new Order(this.groups.sort(byAge), {
      needs: (group) => this.#dependencies(group),
      users: (group) => this.#dependents(group),
    });
  }

  /** What each realized tensor reads, from the roots on. */
  #findNeeds(): void {
    const pending = [...this.#roots];
    for (let tensor = pending.pop(); tensor; tensor = pending.pop()) {
      if (this.#needs.has(tensor) || !this.#context.realized.has(tensor)) continue;
      const needs = this.#coneLoads(tensor);
      this.#needs.set(tensor, needs);
      pending.push(...needs);
    }
  }

  get groups(): Group[] {
    return [...new Set(this.#groupOf.values())];
  }

  /** Realized tensors and buffer leaves that computing `tensor` reads. */
  #coneLoads(tensor: Tensor): Tensor[] {
    const found = new Set<Tensor>();
    const seen = new Set<Tensor>();
    const operand = (input: Tensor): Tensor => (tensor.op.family === "core" ? aliasOf(input) : input);
    const visit = (input: Tensor): void => {
      if (seen.has(input)) return;
      seen.add(input);
      if (this.#context.realized.has(input) || isBufferLeaf(input)) found.add(input);
      else input.inputs.forEach(visit);
    };
    for (const input of tensor.inputs) visit(operand(input));
    return [...found];
  }

  /** Tensors outside the group that it reads. */
  needs(group: Group): readonly Tensor[] {
    let needs = this.#groupNeeds.get(group);
    if (!needs) {
      const members = new Set(group.members);
      needs = [...new Set(group.members.flatMap((member) => this.#needs.get(member) ?? []))].filter(
        (need) => !members.has(need),
      );
      this.#groupNeeds.set(group, needs);
    }
    return needs;
  }

  #dependencies(group: Group): Set<Group> {
    return new Set(this.needs(group).flatMap((need) => this.#groupOf.get(need) ?? []));
  }

  #dependents(group: Group): Set<Group> {
    const users = group.members.flatMap((member) => [...(this.#users.get(member) ?? [])]);
    return new Set(users.map((user) => this.#groupOf.get(user) as Group).filter((user) => user !== group));
  }

  /** Members that others read or that the graph returns. */
  stored(group: Group): Tensor[] {
    return group.members.filter(
      (member) =>
        this.#roots.has(member) || [...(this.#users.get(member) ?? [])].some((user) => !group.members.includes(user)),
    );
  }

  emit(group: Group): EmittedKernel | undefined {
    return emit(group, this.stored(group), this.#context);
  }

  /** Replaces two groups by one if a kernel can be emitted for it within the limits. */
  #tryMerge(a: Group, b: Group): Group | undefined {
    const merged: Group = {
      cores: [...a.cores, ...b.cores],
      members: [...a.members, ...b.members].sort((x, y) => x.id - y.id),
    };
    for (const member of merged.members) this.#groupOf.set(member, merged);
    const emitted = this.emit(merged);
    if (emitted && this.#fits(merged, emitted)) {
      this.#order.merge([a, b], merged);
      return merged;
    }
    for (const group of [a, b]) for (const member of group.members) this.#groupOf.set(member, group);
    return undefined;
  }

  #fits(group: Group, { kernel, inputs, outputs }: EmittedKernel): boolean {
    const inPlace = outputs.filter((output, o) => this.#updatesInPlace(group, kernel, inputs, output, o)).length;
    const buffers = new Set(inputs).size + outputs.length - inPlace + (readsScalars(kernel) ? 1 : 0);
    const epilogue = operandsOf(kernel).length > 0 ? kernel.body.filter(({ kind }) => kind === "apply").length : 0;
    return buffers <= this.#options.maxKernelBuffers && epilogue <= EPILOGUE_LIMIT && this.#isStageable(kernel);
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
    return [...this.#laterReaders(output, leaf)].every((reader) => group.members.includes(reader));
  }

  /** Tensors that read the old value of a Variable but are not needed for its new one. */
  #laterReaders(output: Tensor, leaf: Tensor): ReadonlySet<Tensor> {
    let readers = this.#readersAfter.get(output);
    if (!readers) {
      readers = new Set(this.#users.get(leaf));
      const seen = new Set<Tensor>();
      const pending = [output];
      for (let tensor = pending.pop(); tensor && readers.size > 0; tensor = pending.pop()) {
        if (seen.has(tensor)) continue;
        seen.add(tensor);
        readers.delete(tensor);
        pending.push(...(this.#needs.get(tensor) ?? []));
      }
      this.#readersAfter.set(output, readers);
    }
    return readers;
  }

  /** Elementwise groups into the group before them. */
  mergeDown(): void {
    for (const start of this.groups.sort(byAge)) {
      let group = this.#groupOf.get(start.members[0]) as Group;
      if (group.cores.length > 0) continue;
      const size = groupSize(group);
      const before = [...this.#dependencies(group)].filter((other) => groupSize(other) === size);
      // cores first, the latest first: that is where the loaded value was just made
      before.sort(
        (a, b) => Number(b.cores.length > 0) - Number(a.cores.length > 0) || b.members[0].id - a.members[0].id,
      );
      for (const other of before) {
        if (other.cores.length > 0 && (group.cores.length > 0 || this.#readsMore(group, other))) continue;
        if (this.#order.reaches(group, other, false)) continue;
        group = this.#tryMerge(other, group) ?? group;
      }
    }
  }

  /** Whether a group reads so much else that it is no epilogue: an update reads its Variable, two moments and a flag. */
  #readsMore(group: Group, other: Group): boolean {
    const known = new Set([...other.members, ...this.needs(other)]);
    return this.needs(group).filter((need) => !known.has(need)).length > MOST_OTHER_READS;
  }

  /** Groups side by side that read the same elements: elementwise with elementwise, reductions with reductions. */
  mergeAcross(): void {
    for (const shared of [...this.#users.keys()]) {
      let candidates = [
        ...new Set([...(this.#users.get(shared) ?? [])].map((user) => this.#groupOf.get(user) as Group)),
      ];
      candidates = candidates.sort(byAge);
      for (let i = 0; i < candidates.length; i++) {
        for (let j = i + 1; j < candidates.length; j++) {
          const [a, b] = [candidates[i], candidates[j]];
          if (!this.#siblings(a, b, shared) || this.#order.reaches(b, a, true) || this.#order.reaches(a, b, true))
            continue;
          const merged = this.#tryMerge(a, b);
          if (!merged) continue;
          candidates[i] = merged;
          candidates.splice(j--, 1);
        }
      }
    }
  }

  /** Reductions with what needs them: further reductions of the same space, and elementwise groups over it or its rows. */
  mergeStages(): void {
    for (const start of this.groups.sort(byAge)) {
      let group = this.#groupOf.get(start.members[0]) as Group;
      if (group.cores[0]?.op.family !== "reduce") continue;
      const refused = new Set<Group>();
      for (;;) {
        const next = this.#stageCandidates(group).find((other) => !refused.has(other));
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
    const after = [...this.#dependents(group)].filter(
      (user) => this.#followsRows(group, user) && !this.#order.reaches(user, group, false),
    );
    const before = [...this.#dependencies(group)].filter(
      (need) => need.cores.length === 0 && groupSize(need) === size && !this.#order.reaches(group, need, false),
    );
    const rank = (other: Group) => (other.cores.length > 0 ? 0 : groupSize(other) > size ? 1 : 2);
    return [...after, ...before].sort((a, b) => rank(a) - rank(b) || byAge(a, b));
  }

  /** Small reductions of the same space that share nothing: a dispatch costs more than they do. */
  mergeApart(): void {
    const alike = new Map<string, Group[]>();
    for (const group of this.groups.sort(byAge)) {
      const [core] = group.cores;
      if (core?.op.family !== "reduce" || core.inputs[0].size > SMALL_REDUCTION) continue;
      const key = `${core.shape} of ${core.inputs[0].shape}, ${group.cores.length}`;
      alike.set(key, [...(alike.get(key) ?? []), group]);
    }
    for (const [first, ...others] of alike.values()) {
      let group = first;
      for (const next of others) {
        const apart = !this.#order.reaches(next, group, false) && !this.#order.reaches(group, next, false);
        group = (apart && this.#tryMerge(group, next)) || next;
      }
    }
  }

  #followsRows(group: Group, user: Group): boolean {
    const [core] = group.cores;
    if (user.cores.length > 0) return this.#sameSpace(core, user.cores[0]);
    return user.members.every(({ size }) => size === core.size || size === core.inputs[0].size);
  }

  #sameSpace(a: Tensor, b: Tensor): boolean {
    return (
      a.op.family === "reduce" &&
      b.op.family === "reduce" &&
      sameShape((a.attrs as ReduceAttrs).axes, (b.attrs as ReduceAttrs).axes) &&
      sameShape(a.inputs[0].shape, b.inputs[0].shape)
    );
  }

  #siblings(a: Group, b: Group, shared: Tensor): boolean {
    if (a === b) return false;
    if (a.cores.length === 0 && b.cores.length === 0) {
      const size = groupSize(a);
      return groupSize(b) === size && (shared.size === size || size <= SMALL);
    }
    const [x, y] = [a.cores[0], b.cores[0]];
    return (
      x !== undefined && y !== undefined && this.#sameSpace(x, y) && elementCount(shared.shape) === x.inputs[0].size
    );
  }
}

/** The kernels of a graph, in no particular order. */
export function fuse(graph: Graph, slotOf: (hostScalar: Tensor) => number, options: FuseOptions): EmittedKernel[] {
  // one output and the host scalars need a buffer each
  const realized = options.merge ? realize(graph, options.maxKernelBuffers - 2) : realizeAll(graph);
  const context: EmitContext = { realized, slotOf };
  const fuser = new Fuser(graph, realized, context, options);
  if (options.merge) {
    fuser.mergeDown();
    fuser.mergeAcross();
    fuser.mergeDown();
    fuser.mergeStages();
    fuser.mergeApart();
  }
  return fuser.groups.map((group) => {
    const emitted = fuser.emit(group);
    if (!emitted) throw new Error(`no kernel for ${group.members.join(", ")}`);
    return emitted;
  });
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
