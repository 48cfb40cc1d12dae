import fc from "fast-check";
import { expect, it } from "vitest";
import { Order } from "./order.ts";

/** Nodes that merge, with brute-force reachability. */
class Nodes {
  readonly #edges: readonly (readonly [user: number, need: number])[];
  readonly groupOf: number[][];

  constructor(count: number, edges: readonly (readonly [number, number])[]) {
    this.#edges = edges;
    this.groupOf = Array.from({ length: count }, (_, i) => [i]);
  }

  get groups(): number[][] {
    return [...new Set(this.groupOf)];
  }

  #links(group: number[], from: 0 | 1): Set<number[]> {
    const to = from === 0 ? 1 : 0;
    const linked = this.#edges.filter((edge) => group.includes(edge[from])).map((edge) => this.groupOf[edge[to]]);
    return new Set(linked.filter((other) => other !== group));
  }

  readonly needs = (group: number[]) => this.#links(group, 0);
  readonly users = (group: number[]) => this.#links(group, 1);

  /** Whether `target` is among what `from` needs, through one other group at least unless `direct`. */
  reaches(from: number[], target: number[], direct: boolean): boolean {
    return [...this.needs(from)].some((need) => (need === target ? direct : this.reaches(need, target, true)));
  }

  merge(parts: readonly number[][]): number[] {
    const merged = parts.flat();
    for (const node of merged) this.groupOf[node] = merged;
    return merged;
  }
}

const size = 9;
const node = fc.nat(size - 1);

it("stays an order, and tells what reaches what, whatever merges", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(node, node), { maxLength: 16 }), fc.array(fc.tuple(node, node)), (pairs, merges) => {
      const nodes = new Nodes(
        size,
        pairs.filter(([a, b]) => a !== b).map(([a, b]) => [Math.max(a, b), Math.min(a, b)] as const),
      );
      const order = new Order(nodes.groups, nodes);
      for (const [i, j] of merges) {
        const [a, b] = [nodes.groupOf[i], nodes.groupOf[j]];
        if (a === b) continue;
        for (const direct of [true, false]) expect(order.reaches(a, b, direct)).toBe(nodes.reaches(a, b, direct));
        if (nodes.reaches(a, b, false) || nodes.reaches(b, a, false)) continue;
        order.merge([a, b], nodes.merge([a, b]));
        for (const group of nodes.groups)
          for (const need of nodes.needs(group)) expect(order.at(need)).toBeLessThan(order.at(group));
      }
    }),
    { numRuns: 500 },
  );
});
