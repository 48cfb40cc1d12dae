/**
 * An order of things that respects their dependencies while they merge (Pearce and Kelly, "A dynamic topological sort
 * algorithm", 2007): a search between two of them only visits what lies between their positions.
 */

/** What each thing needs, and what needs it, directly and at the moment. */
export interface Links<T> {
  needs(thing: T): Iterable<T>;
  users(thing: T): Iterable<T>;
}

export class Order<T> {
  readonly #position = new Map<T, number>();
  readonly #links: Links<T>;

  /** `sorted`: each after all it needs. */
  constructor(sorted: readonly T[], links: Links<T>) {
    sorted.forEach((thing, i) => {
      this.#position.set(thing, i);
    });
    this.#links = links;
  }

  at(thing: T): number {
    return this.#position.get(thing) as number;
  }

  /** Whether `from` needs `target` through something else (or at all, with `direct`). */
  reaches(from: T, target: T, direct: boolean): boolean {
    const low = this.at(target);
    if (this.at(from) <= low) return false;
    const seen = new Set<T>([from]);
    const stack = [from];
    for (let thing = stack.pop(); thing !== undefined; thing = stack.pop()) {
      for (const need of this.#links.needs(thing)) {
        if (need === target) {
          if (direct || thing !== from) return true;
        } else if (!seen.has(need) && this.at(need) > low) {
          seen.add(need);
          stack.push(need);
        }
      }
    }
    return false;
  }

  /** `merged` takes the place of `parts`, neither of which reaches another through a third; links are already its own. */
  merge(parts: readonly T[], merged: T): void {
    const positions = parts.map((part) => this.at(part));
    for (const part of parts) this.#position.delete(part);
    const [low, high] = [Math.min(...positions), Math.max(...positions)];
    this.#position.set(merged, low);
    const before = this.#between(merged, (thing) => this.#links.needs(thing), low, high);
    const after = this.#between(merged, (thing) => this.#links.users(thing), low, high);
    const moved = [...before, merged, ...after];
    const places = [low, ...[...before, ...after].map((thing) => this.at(thing))].sort((a, b) => a - b);
    moved.forEach((thing, i) => {
      this.#position.set(thing, places[i]);
    });
  }

  /** Everything strictly between two positions that `next` leads to, in order. */
  #between(start: T, next: (thing: T) => Iterable<T>, low: number, high: number): T[] {
    const found = new Set<T>();
    const stack = [...next(start)];
    for (let thing = stack.pop(); thing !== undefined; thing = stack.pop()) {
      const position = this.at(thing);
      if (found.has(thing) || position <= low || position >= high) continue;
      found.add(thing);
      stack.push(...next(thing));
    }
    return [...found].sort((a, b) => this.at(a) - this.at(b));
  }
}
