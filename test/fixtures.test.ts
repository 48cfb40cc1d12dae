import { expect, test } from "vitest";
import { fixtureNames, readFixture } from "./fixtures.ts";

test.each(fixtureNames)("the fixture %s is present and holds cases", (name) => {
  const cases = Object.values(readFixture<Record<string, unknown>>(name)).filter(Array.isArray).flat();
  expect(cases.length).toBeGreaterThan(0);
});
