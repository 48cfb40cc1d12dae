/** The stack of a pickle's machine, with its marks and its memo; what is not there is refused. */

import type { Fail } from "./pickle-values.ts";

export class PickleStack {
  readonly #values: unknown[] = [];
  /** Heights of the stack at the marks. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();
  readonly #fail: Fail;

  constructor(fail: Fail) {
    this.#fail = fail;
  }

  push(value: unknown): true {
    this.#values.push(value);
    return true;
  }

  /** The last value, which is removed; none below the last mark. */
  pop(): unknown {
    if (this.#values.length <= (this.#marks.at(-1) ?? 0)) this.#fail("the pickle takes a value that is not there");
    return this.#values.pop();
  }

  top(): unknown {
    const value = this.pop();
    this.#values.push(value);
    return value;
  }

  mark(): true {
    this.#marks.push(this.#values.length);
    return true;
  }

  /** What lies above the last mark, which is removed with it. */
  aboveMark(): unknown[] {
    const mark = this.#marks.pop();
    if (mark === undefined) return this.#fail("the pickle goes back to a mark that is not there");
    return this.#values.splice(mark);
  }

  /** Keeps the last value under `index`. */
  remember(index = this.#memo.size): true {
    this.#memo.set(index, this.top());
    return true;
  }

  /** Pushes the value kept under `index`. */
  recall(index: number): true {
    if (!this.#memo.has(index)) this.#fail(`the pickle recalls value ${index}, which it never kept`);
    return this.push(this.#memo.get(index));
  }
}
