/** What a pickle can hold, as far as state dicts have it: Python's own values, and what the caller makes of globals. */

import { quote } from "./pickle-cursor.ts";

/** A Python tuple; lists are arrays. */
export class Tuple {
  readonly items: readonly unknown[];

  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

const noEntries: ReadonlyMap<unknown, unknown> = new Map();

/** A Python dict, ordered or not; a key stands once. Its Map is made with the first entry, since a hostile pickle may hold millions. */
export class Dict {
  #entries: Map<unknown, unknown> | undefined;

  get entries(): ReadonlyMap<unknown, unknown> {
    return this.#entries ?? noEntries;
  }

  /** Adds an entry; false where the key is taken. */
  add(key: unknown, value: unknown): boolean {
    this.#entries ??= new Map();
    if (this.#entries.has(key)) return false;
    this.#entries.set(key, value);
    return true;
  }
}

/** Refuses what is read at this moment, with file and place. */
export type Fail = (facts: string, expected?: string) => never;

/** Adds keys and values, one after the other, to a dict; refuses a key that is there. */
export function setEntries(dict: Dict, items: readonly unknown[], fail: Fail): Dict {
  if (items.length % 2 !== 0) fail("the pickle sets a key without a value");
  for (let i = 0; i < items.length; i += 2) {
    const [key, value] = [items[i], items[i + 1]];
    if (dict.add(key, value)) continue;
    fail(`the key ${typeof key === "string" ? quote(key) : "of an entry"} stands twice`, "each key once");
  }
  return dict;
}

/** A global a pickle may name; what it stands for is code of ours. */
export class Global {
  /** E.g. `collections.OrderedDict`. */
  readonly name: string;
  /** What REDUCE makes of its arguments; undefined: it is only a name. */
  readonly call: ((args: readonly unknown[], fail: Fail) => unknown) | undefined;

  constructor(name: string, call?: Global["call"]) {
    this.name = name;
    this.call = call;
  }
}

/** What the globals and persistent ids of a pickle stand for. */
export interface PickleHost {
  /** The global of this full name, where it is allowed. */
  global(name: string): Global | undefined;
  /** The object with this id. */
  persistent(id: unknown, fail: Fail): unknown;
}
