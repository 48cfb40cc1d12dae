/** Damage to files, for tests that must not be hurt by it. */
import fc from "fast-check";

/** Values that sizes and opcodes break at, beside any. */
const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, ...Buffer.from("cioR\x81b(tu.}]Q\x93\x95")));
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const change = fc.record({
  kind: fc.constantFrom("set", "insert", "remove", "copy", "cut"),
  at: place,
  from: place,
  length: fc.integer({ min: 1, max: 40 }),
  bytes: fc.array(byte, { minLength: 1, maxLength: 8 }),
});

/** `contents` after one change. */
export function mutate(
  contents: Buffer,
  { kind, at, from, length, bytes }: typeof change extends fc.Arbitrary<infer T> ? T : never,
): Buffer {
  const start = Math.floor(at * contents.length);
  const [before, after] = [contents.subarray(0, start), contents.subarray(start)];
  const source = Math.floor(from * contents.length);
  switch (kind) {
    case "set":
      return Buffer.concat([before, Buffer.from(bytes), after.subarray(bytes.length)]);
    case "insert":
      return Buffer.concat([before, Buffer.from(bytes), after]);
    case "remove":
      return Buffer.concat([before, after.subarray(length)]);
    case "copy":
      return Buffer.concat([before, contents.subarray(source, source + length), after]);
    default:
      return before;
  }
}

// changes that keep all places are the ones that get past an archive's directory
const inPlace = change.filter(({ kind }) => kind === "set");
/** Changes of a file, one after another. */
export const changes = fc.oneof(
  { weight: 3, arbitrary: fc.array(inPlace, { minLength: 1, maxLength: 4 }) },
  { weight: 2, arbitrary: fc.array(change, { minLength: 1, maxLength: 4 }) },
);
