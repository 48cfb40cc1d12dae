/**
 * Things by name (students, guides, similarities, data sets, transforms), so that a configuration or the command line can
 * say which. Each is a function: it makes or computes what it is the name of.
 */
import { ValueError } from "@guidance/tensor";
import { nearestName } from "./nearest.ts";
import { describeValue } from "./own-code.ts";

/**
 * Functions by name.
 *
 * @typeParam T what each of them is
 */
// biome-ignore lint/suspicious/noExplicitAny: functions of any signature
export class Registry<T extends (...args: any[]) => unknown> {
  readonly #kind: string;
  readonly #entries: Map<string, T>;
  readonly #signature: string;

  /** `kind` is what messages call an entry, e.g. "similarity"; `signature` what an entry is, e.g. "(x, y) => Tensor". */
  constructor(kind: string, entries: Readonly<Record<string, T>>, signature: string) {
    this.#kind = kind;
    this.#entries = new Map(Object.entries(entries));
    this.#signature = signature;
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Names that nothing else can be registered under. */
  protected get taken(): readonly string[] {
    return this.names;
  }

  /** Whether `name` is taken. */
  has(name: string): boolean {
    return this.taken.includes(name);
  }

  /** Adds an entry; throws ValueError where the name is taken, or the entry is no function. */
  register(name: string, entry: T): void {
    const what = `register ${this.#kind}`;
    if (typeof name !== "string" || name === "") {
      throw new ValueError({
        what,
        facts: `its name is ${describeValue(name)}`,
        expected: `register(name, ${this.#signature})`,
      });
    }
    if (typeof entry !== "function") {
      throw new ValueError({
        what,
        facts: `"${name}" is ${describeValue(entry)}`,
        expected: `a function ${this.#signature}`,
      });
    }
    if (!this.has(name)) {
      this.#entries.set(name, entry);
      return;
    }
    throw new ValueError({
      what,
      facts: `the name "${name}" is taken`,
      expected: `a name other than ${this.taken.join(", ")}`,
    });
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
