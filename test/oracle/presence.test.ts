// Every file of the set is there and holds something: what the other oracle tests take for granted.

import { expect, test } from "vitest";
import { type FixtureName, loadFixture } from "../support/fixtures.ts";

const names = ["recipe", "cka", "ops", "layers", "resnet18", "trajectory", "optim"] satisfies FixtureName[];

test.each(names)("the fixture %s is present", (name) => {
  const lists = Object.values(loadFixture<Record<string, unknown>>(name)).filter(Array.isArray);
  expect(lists.flat().length).toBeGreaterThan(0);
});
