import fc from "fast-check";
import { expect, test } from "vitest";
import { readHybrid } from "./parquet-levels.ts";

/** A run's header: seven bits a byte, the lowest first. */
function header(value: number): number[] {
  return value < 128 ? [value] : [128 + (value % 128), ...header(Math.floor(value / 128))];
}

/** A value repeated. */
function repeated(value: number, count: number, bits: number): number[] {
  const bytes = Array.from({ length: Math.ceil(bits / 8) }, (_, byte) => Math.floor(value / 256 ** byte) % 256);
  return [...header(count * 2), ...bytes];
}

/** Values of `bits` bits one after the other, filled up to whole groups of eight. */
function packed(values: readonly number[], bits: number): number[] {
  const groups = Math.ceil(values.length / 8);
  const stream = [...values, ...new Array<number>(groups * 8 - values.length).fill(0)].flatMap((value) =>
    Array.from({ length: bits }, (_, bit) => Math.floor(value / 2 ** bit) % 2),
  );
  const bytes = Array.from({ length: stream.length / 8 }, (_, byte) =>
    stream.slice(byte * 8, byte * 8 + 8).reduce((sum, bit, place) => sum + bit * 2 ** place, 0),
  );
  return [...header(groups * 2 + 1), ...bytes];
}

test("the example of Parquet's specification: 0 to 7 in three bits", () => {
  expect([...readHybrid(Uint8Array.of(3, 0b10001000, 0b11000110, 0b11111010), 3, 8)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("property: runs of both kinds give back what was written", () => {
  const runs = fc.integer({ min: 1, max: 31 }).chain((bits) => {
    const value = fc.integer({ min: 0, max: 2 ** bits - 1 });
    const run = fc.oneof(
      fc.tuple(fc.constant("repeated" as const), value, fc.integer({ min: 1, max: 300 })),
      fc.tuple(
        fc.constant("packed" as const),
        fc.array(value, { minLength: 1, maxLength: 5 }).map((v) => [...v, ...v, ...v, ...v, ...v, ...v, ...v, ...v]),
      ),
    );
    return fc.tuple(fc.constant(bits), fc.array(run, { maxLength: 6 }));
  });
  fc.assert(
    fc.property(runs, fc.nat(7), ([bits, runs], fewer) => {
      const bytes: number[] = [];
      const values: number[] = [];
      for (const run of runs) {
        if (run[0] === "repeated") {
          bytes.push(...repeated(run[1], run[2], bits));
          values.push(...new Array<number>(run[2]).fill(run[1]));
        } else {
          bytes.push(...packed(run[1], bits));
          values.push(...run[1]);
        }
      }
      const wanted = Math.max(0, values.length - fewer);
      expect([...readHybrid(Uint8Array.from(bytes), bits, wanted)]).toEqual(values.slice(0, wanted));
    }),
  );
});

test("property: any bytes are values or refused", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 30 }),
      fc.integer({ min: 0, max: 40 }),
      fc.nat(500),
      (bytes, bits, count) => {
        try {
          expect(readHybrid(bytes, bits, count)).toHaveLength(count);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      },
    ),
  );
});
