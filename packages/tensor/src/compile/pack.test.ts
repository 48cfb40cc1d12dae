import fc from "fast-check";
import { expect, it } from "vitest";
import { type Lifetime, pack } from "./pack.ts";

const lifetime: fc.Arbitrary<Lifetime> = fc
  .record({ bytes: fc.integer({ min: 1, max: 5 }), from: fc.nat(20), length: fc.nat(8) })
  .map(({ bytes, from, length }) => ({ bytes, from, to: from + length }));

/** Fewest bytes of whole buffers: of each size, as many as values at least that large live at once. */
function fewestBytes(values: readonly Lifetime[]): number {
  let sum = 0;
  for (let size = 1; size <= 5; size++) {
    const large = values.filter(({ bytes }) => bytes >= size);
    const together = large.map(({ from }) => large.filter((other) => other.from <= from && from <= other.to).length);
    sum += Math.max(0, ...together);
  }
  return sum;
}

it("gives each value one buffer, as large as the first in it, that no other live value has", () => {
  fc.assert(
    fc.property(fc.array(lifetime, { maxLength: 40 }), (values) => {
      const buffers = pack(values);
      expect(new Set(buffers.flat())).toEqual(new Set(values));
      expect(buffers.flat().length).toBe(values.length);
      for (const buffer of buffers) {
        expect(Math.max(...buffer.map(({ bytes }) => bytes))).toBe(buffer[0].bytes);
        const sorted = [...buffer].sort((a, b) => a.from - b.from);
        sorted.slice(1).forEach(({ from }, i) => {
          expect(from).toBeGreaterThan(sorted[i].to);
        });
      }
    }),
  );
});

it("needs no more than whole buffers must where values of one size come", () => {
  fc.assert(
    fc.property(fc.array(lifetime, { maxLength: 40 }), (values) => {
      const equal = values.map((value) => ({ ...value, bytes: 1 }));
      expect(pack(equal).length).toBe(fewestBytes(equal));
    }),
  );
});

it("leaves a large buffer to large values", () => {
  const values = [
    { bytes: 1, from: 0, to: 1 },
    { bytes: 4, from: 2, to: 3 },
    { bytes: 1, from: 1, to: 4 },
    { bytes: 4, from: 5, to: 6 },
  ];
  const total = pack(values).reduce((sum, [first]) => sum + first.bytes, 0);
  expect(total).toBe(fewestBytes(values));
});
