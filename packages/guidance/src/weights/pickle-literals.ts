/** Opcodes whose value stands in the pickle itself. */

import type { PickleCursor } from "./pickle-cursor.ts";

/** The value of the opcode `code`, read from `cursor`; undefined where that is no literal. */
export function readLiteral(code: string, cursor: PickleCursor): unknown {
  switch (code) {
    case "N":
      return null;
    case "\x88":
      return true;
    case "\x89":
      return false;
    case "J":
      return cursor.i32();
    case "K":
      return cursor.u8();
    case "M":
      return cursor.u16();
    case "\x8a":
      return cursor.integer(cursor.u8());
    case "\x8b":
      return cursor.integer(cursor.u32());
    case "G":
      return cursor.f64();
    case "X":
      return cursor.text(cursor.u32());
    case "\x8c":
      return cursor.text(cursor.u8());
    case "\x8d":
      return cursor.text(cursor.u64());
    case "B":
      return cursor.bytes(cursor.u32());
    case "C":
      return cursor.bytes(cursor.u8());
    case "\x8e":
      return cursor.bytes(cursor.u64());
  }
  return undefined;
}
