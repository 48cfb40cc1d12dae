import fc from "fast-check";
import { expect, test } from "vitest";
import { epochOrder, groupedPermutation, WINDOW_IMAGES } from "./order.ts";

const groups = fc.array(fc.nat(12), { minLength: 1, maxLength: 40 });
const numbers = fc.record({ seed: fc.nat(2 ** 32 - 1), epoch: fc.nat(50), window: fc.integer({ min: 1, max: 60 }) });

test("property: every image comes once, and the order follows from seed and epoch", () => {
  fc.assert(
    fc.property(groups, numbers, (groups, { seed, epoch, window }) => {
      const order = groupedPermutation(groups, seed, epoch, window);
      const total = groups.reduce((sum, size) => sum + size, 0);
      expect(order.slice().sort()).toEqual(Uint32Array.from({ length: total }, (_, image) => image));
      expect(groupedPermutation(groups, seed, epoch, window)).toEqual(order);
    }),
  );
});

test("property: a group is read within one window of few groups", () => {
  fc.assert(
    fc.property(groups, numbers, (groups, { seed, epoch, window }) => {
      const groupOf = groups.flatMap((size, group) => new Array<number>(size).fill(group));
      const order = groupedPermutation(groups, seed, epoch, window);
      const largest = Math.max(...groups);
      for (let group = 0; group < groups.length; group++) {
        const places = [...order.keys()].filter((place) => groupOf[order[place]] === group);
        if (places.length > 0) expect(places[places.length - 1] - places[0]).toBeLessThan(window + largest);
      }
    }),
  );
});

test("epochs differ in which images are neighbours", () => {
  const groups = new Array<number>(40).fill(10);
  const neighbours = (epoch: number) => {
    const order = groupedPermutation(groups, 1, epoch, 50);
    return new Set([...order].slice(1).map((image, place) => `${order[place]} ${image}`));
  };
  const [first, second] = [neighbours(0), neighbours(1)];
  expect([...first].filter((pair) => second.has(pair)).length).toBeLessThan(20);
});

test("an order is made only where it is asked for", () => {
  expect(epochOrder({ count: 5 }, { shuffle: false })).toBeUndefined();
  expect(epochOrder({ count: 5 }, { shuffle: true })).toHaveLength(5);
  expect(epochOrder({ count: 5, groups: [2, 3] }, { shuffle: true })).toHaveLength(5);
});

test("images that fit into one window come in the order they have without groups; more come window by window", () => {
  const order = { shuffle: true, seed: 3, epoch: 2 } as const;
  for (const [group, isAlike] of [
    [WINDOW_IMAGES / 2, true],
    [WINDOW_IMAGES / 2 + 1, false],
  ] as const) {
    const [count, groups] = [2 * group, [group, group]];
    const [grouped, plain] = [epochOrder({ count, groups }, order), epochOrder({ count }, order)];
    expect(grouped?.every((image, place) => image === plain?.[place])).toBe(isAlike);
    expect(grouped?.slice().sort()).toEqual(plain?.slice().sort());
  }
});
