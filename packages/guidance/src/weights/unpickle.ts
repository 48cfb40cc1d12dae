/**
 * Reads pickles as data. A pickle is a program for a stack machine, and Python's executes what it names; this one knows
 * the opcodes that make values, asks the caller what the few allowed globals stand for, and refuses everything else by
 * name. It never recurses, and every opcode makes at most one value, so that time and memory follow the bytes read.
 *
 * Source: https://github.com/python/cpython/blob/main/Lib/pickletools.py, protocols 2 to 5.
 */

import { PickleCursor, quote } from "./pickle-cursor.ts";
import { readLiteral } from "./pickle-literals.ts";
import { PickleStack } from "./pickle-stack.ts";
import { Dict, type Fail, Global, type PickleHost, setEntries, Tuple } from "./pickle-values.ts";

export interface PickleText {
  /** Name of the file, for messages. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Where the pickle starts in `bytes`. */
  readonly start: number;
  /** Where `bytes` start in the file. */
  readonly base: number;
}

/** Most opcodes that are run: a tensor takes about 45 of them, so this is more than 90,000 tensors. */
const MOST_OPERATIONS = 2 ** 22;
/** The newest protocol there is. */
const NEWEST_PROTOCOL = 5;

/** Opcodes that call what they are given in ways no state dict needs. */
const refused: Readonly<Record<string, string>> = {
  o: "OBJ",
  "\x81": "NEWOBJ",
  "\x82": "EXT1",
  "\x83": "EXT2",
  "\x84": "EXT4",
  "\x92": "NEWOBJ_EX",
  P: "PERSID",
};

/** The value of one pickle and where in `bytes` it ends; throws WeightsError for anything but plain data. */
export function unpickle({ path, bytes, start, base }: PickleText, host: PickleHost): { value: unknown; end: number } {
  return new Machine(new PickleCursor(path, bytes, start, base), host).run();
}

class Machine {
  readonly #cursor: PickleCursor;
  readonly #host: PickleHost;
  readonly #stack = new PickleStack((facts) => this.#fail(facts));
  /** Where the opcode that is run stands. */
  #at = 0;
  readonly #fail: Fail = (facts, expected) => {
    throw this.#cursor.error(this.#at, facts, expected);
  };

  constructor(cursor: PickleCursor, host: PickleHost) {
    this.#cursor = cursor;
    this.#host = host;
  }

  run(): { value: unknown; end: number } {
    for (let count = 0; count < MOST_OPERATIONS; count++) {
      this.#at = this.#cursor.position;
      const code = String.fromCharCode(this.#cursor.u8());
      if (code === ".") return { value: this.#stack.pop(), end: this.#cursor.position };
      if (!this.#plain(code) && !this.#collect(code)) this.#name(code);
    }
    return this.#fail(`the pickle goes on after ${MOST_OPERATIONS} opcodes`);
  }

  /** Opcodes that push a value of their own or order the stack; false for others. */
  #plain(code: string): boolean {
    const cursor = this.#cursor;
    const literal = readLiteral(code, cursor);
    if (literal !== undefined) return this.#stack.push(literal);
    switch (code) {
      case "\x80": {
        const protocol = cursor.u8();
        if (protocol > NEWEST_PROTOCOL) this.#fail(`the pickle has protocol ${protocol}`, `at most ${NEWEST_PROTOCOL}`);
        return true;
      }
      case "\x95": // FRAME: how much follows at least; its contents are opcodes like the others
        cursor.position = cursor.take(cursor.u64());
        return true;
      case "q":
        return this.#stack.remember(cursor.u8());
      case "r":
        return this.#stack.remember(cursor.u32());
      case "\x94": // MEMOIZE
        return this.#stack.remember();
      case "h":
        return this.#stack.recall(cursor.u8());
      case "j":
        return this.#stack.recall(cursor.u32());
      case "(":
        return this.#stack.mark();
      case "0":
        this.#stack.pop();
        return true;
      case "1":
        this.#stack.aboveMark();
        return true;
      case "2":
        return this.#stack.push(this.#stack.top());
    }
    return false;
  }

  /** Opcodes of lists, tuples and dicts; false for others. */
  #collect(code: string): boolean {
    switch (code) {
      case ")":
        return this.#stack.push(new Tuple([]));
      case "]":
        return this.#stack.push([]);
      case "}":
        return this.#stack.push(new Dict());
      case "t":
        return this.#stack.push(new Tuple(this.#stack.aboveMark()));
      case "\x85":
      case "\x86":
      case "\x87": {
        const items = Array.from({ length: code.charCodeAt(0) - 0x84 }, () => this.#stack.pop());
        return this.#stack.push(new Tuple(items.reverse()));
      }
      case "l":
        return this.#stack.push(this.#stack.aboveMark());
      case "d":
        return this.#stack.push(setEntries(new Dict(), this.#stack.aboveMark(), this.#fail));
      case "a":
        return this.#append([this.#stack.pop()]);
      case "e":
        return this.#append(this.#stack.aboveMark());
      case "s":
        return this.#set([this.#stack.pop(), this.#stack.pop()].reverse());
      case "u":
        return this.#set(this.#stack.aboveMark());
    }
    return false;
  }

  #append(items: readonly unknown[]): true {
    const list = this.#stack.top();
    if (!Array.isArray(list)) return this.#fail("the pickle appends to what is no list");
    for (const item of items) list.push(item);
    return true;
  }

  #set(items: readonly unknown[]): true {
    const dict = this.#stack.top();
    if (!(dict instanceof Dict)) return this.#fail("the pickle sets entries of what is no dict");
    setEntries(dict, items, this.#fail);
    return true;
  }

  /** Opcodes that name or call something; any other is refused. */
  #name(code: string): void {
    switch (code) {
      case "c":
      case "i": {
        const name = `${this.#cursor.line()}.${this.#cursor.line()}`;
        const global = this.#global(name);
        if (code === "i") this.#fail(`the pickle makes a ${name} by INST`);
        this.#stack.push(global);
        return;
      }
      case "\x93": {
        const [module, name] = [this.#stack.pop(), this.#stack.pop()].reverse();
        if (typeof module !== "string" || typeof name !== "string") this.#fail("the pickle names a global by no text");
        this.#stack.push(this.#global(`${module}.${name}`));
        return;
      }
      case "R": {
        const [called, args] = [this.#stack.pop(), this.#stack.pop()].reverse();
        this.#stack.push(this.#call(called, args));
        return;
      }
      case "b": // BUILD: attributes of a dict, torch's `_metadata`, say nothing about the values
        if (!(this.#stack.pop() instanceof Dict && this.#stack.top() instanceof Dict)) {
          this.#fail("the pickle sets attributes of what is no dict (BUILD)");
        }
        return;
      case "Q":
        this.#stack.push(this.#host.persistent(this.#stack.pop(), this.#fail));
        return;
    }
    const hex = code.charCodeAt(0).toString(16).padStart(2, "0");
    this.#fail(`the pickle has the opcode ${refused[code] ?? `0x${hex}`}, which no state dict needs`);
  }

  #call(called: unknown, args: unknown): unknown {
    if (!(called instanceof Global) || !called.call) return this.#fail("the pickle calls what is no function");
    if (!(args instanceof Tuple)) return this.#fail(`the pickle calls ${called.name} without a tuple of arguments`);
    return called.call(args.items, this.#fail);
  }

  #global(name: string): Global {
    const found = this.#host.global(name);
    return found ?? this.#fail(`the pickle names ${quote(name)}, which is not loaded`, "tensors and dicts alone");
  }
}
