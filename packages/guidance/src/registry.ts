/** Things by name (students, guides, similarities, data sets), so that a configuration or the command line can say which. */
import { ValueError } from "@guidance/tensor";
import { nearestName } from "./nearest.ts";

export class Registry<T> {
  readonly #kind: string;
  readonly #entries: Map<string, T>;

  /** `kind` is what messages call an entry, e.g. "similarity". */
  constructor(kind: string, entries: Readonly<Record<string, T>>) {
    this.#kind = kind;
    this.#entries = new Map(Object.entries(entries));
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Adds an entry; throws ValueError where the name is taken. */
  register(name: string, entry: T): void {
    if (this.#entries.has(name)) {
      throw new ValueError({
        what: `register ${this.#kind}`,
        facts: `the name "${name}" is taken`,
        expected: `a name other than ${this.names.join(", ")}`,
      });
    }
    this.#entries.set(name, entry);
  }

  /** The entry called `name`; throws ValueError listing the names there are, and the nearest. */
  get(name: string): T {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      const nearest = nearestName(name, this.names);
      throw new ValueError({
        what: this.#kind,
        facts: `there is no ${this.#kind} "${name}"`,
        expected: `one of ${this.names.join(", ")}`,
        hint: nearest === undefined ? "Add your own with --plugin" : `Perhaps you meant "${nearest}"`,
      });
    }
    return entry;
  }
}
