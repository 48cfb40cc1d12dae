/** Groups of tensors that become kernels: what each reads, who reads it, and an order that survives their merging. */
import type { Tensor } from "../tensor.ts";
import type { Cones } from "./cones.ts";
import type { Group } from "./emit.ts";
import { type Graph, roots } from "./graph.ts";
import { Order } from "./order.ts";

/** Single tensors in creation order come after what they need; merged groups by their oldest member. */
export const byAge = (a: Group, b: Group): number => a.members[0].id - b.members[0].id;

/** Groups that a group reads, and those that read it. */
interface Links {
  readonly needs: Set<Group>;
  readonly users: Set<Group>;
}

export class Groups {
  readonly order: Order<Group>;
  readonly #cones: Cones;
  readonly #roots: ReadonlySet<Tensor>;
  readonly #groupOf = new Map<Tensor, Group>();
  readonly #users = new Map<Tensor, Set<Tensor>>();
  readonly #links = new Map<Group, Links>();
  /** A group never changes: merging makes a new one. */
  readonly #needs = new WeakMap<Group, readonly Tensor[]>();

  /** A group for each realized tensor that the roots need. */
  constructor(graph: Graph, realized: ReadonlySet<Tensor>, cones: Cones) {
    this.#cones = cones;
    this.#roots = new Set(roots(graph));
    const needed = this.#needed(realized);
    for (const tensor of realized) {
      // nothing reads it: a core sees its operand through reshapes
      if (!needed.has(tensor)) continue;
      const isCore = tensor.op.family === "core" || tensor.op.family === "reduce";
      this.#groupOf.set(tensor, { cores: isCore ? [tensor] : [], members: [tensor] });
      for (const need of cones.of(tensor).loads) {
        const users = this.#users.get(need);
        if (users) users.add(tensor);
        else this.#users.set(need, new Set([tensor]));
      }
    }
    for (const [tensor, group] of this.#groupOf) {
      for (const load of cones.of(tensor).loads) {
        const need = this.#groupOf.get(load);
        if (need) this.#link(group, need);
      }
    }
    this.order = new Order(this.byAge(), {
      needs: (group) => this.dependencies(group),
      users: (group) => this.dependents(group),
    });
  }

  #needed(realized: ReadonlySet<Tensor>): Set<Tensor> {
    const needed = new Set<Tensor>();
    const pending = [...this.#roots];
    for (let tensor = pending.pop(); tensor; tensor = pending.pop()) {
      if (needed.has(tensor) || !realized.has(tensor)) continue;
      needed.add(tensor);
      pending.push(...this.#cones.of(tensor).loads);
    }
    return needed;
  }

  byAge(): Group[] {
    return [...new Set(this.#groupOf.values())].sort(byAge);
  }

  has(tensor: Tensor): boolean {
    return this.#groupOf.has(tensor);
  }

  of(tensor: Tensor): Group {
    return this.#groupOf.get(tensor) as Group;
  }

  /** Tensors that others read. */
  read(): Tensor[] {
    return [...this.#users.keys()];
  }

  /** Realized tensors that read `tensor`. */
  users(tensor: Tensor): ReadonlySet<Tensor> {
    return this.#users.get(tensor) ?? NOBODY;
  }

  /** Tensors outside the group that it reads. */
  needs(group: Group): readonly Tensor[] {
    let needs = this.#needs.get(group);
    if (!needs) {
      const found = new Set<Tensor>();
      for (const member of group.members) for (const load of this.#cones.of(member).loads) found.add(load);
      for (const member of group.members) found.delete(member);
      needs = [...found];
      this.#needs.set(group, needs);
    }
    return needs;
  }

  dependencies(group: Group): ReadonlySet<Group> {
    return this.#linksOf(group).needs;
  }

  dependents(group: Group): ReadonlySet<Group> {
    return this.#linksOf(group).users;
  }

  #link(user: Group, need: Group): void {
    this.#linksOf(user).needs.add(need);
    this.#linksOf(need).users.add(user);
  }

  #linksOf(group: Group): Links {
    let links = this.#links.get(group);
    if (!links) {
      links = { needs: new Set(), users: new Set() };
      this.#links.set(group, links);
    }
    return links;
  }

  /** Members that others read or that the graph returns. */
  stored({ members }: Group): Tensor[] {
    const own = new Set(members);
    return members.filter((member) => {
      for (const user of this.users(member)) if (!own.has(user)) return true;
      return this.#roots.has(member);
    });
  }

  /** `merged`, of all members of `parts`, takes their place. */
  replace(parts: readonly Group[], merged: Group): void {
    for (const member of merged.members) this.#groupOf.set(member, merged);
    for (const part of parts) {
      const { needs, users } = this.#linksOf(part);
      for (const need of needs) {
        this.#linksOf(need).users.delete(part);
        if (!parts.includes(need)) this.#link(merged, need);
      }
      for (const user of users) {
        this.#linksOf(user).needs.delete(part);
        if (!parts.includes(user)) this.#link(user, merged);
      }
      this.#links.delete(part);
    }
    this.order.merge(parts, merged);
  }
}

const NOBODY: ReadonlySet<Tensor> = new Set();
