import { afterEach, expect, test, vi } from "vitest";
import { loadFixture, number } from "./fixtures.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

test("a set without the file is an error", () => {
  vi.stubEnv("GUIDANCE_FIXTURES", import.meta.dirname);
  expect(() => loadFixture("recipe")).toThrow(/Fixture ".*recipe\.json" cannot be read: ENOENT/);
});

test("a relative path is an error", () => {
  vi.stubEnv("GUIDANCE_FIXTURES", "fixtures");
  expect(() => loadFixture("recipe")).toThrow('GUIDANCE_FIXTURES is "fixtures". Expected an absolute path.');
});

test("numbers that JSON lacks are read from their names", () => {
  expect([1.5, "NaN", "Infinity", "-Infinity"].map(number)).toEqual([1.5, Number.NaN, Infinity, -Infinity]);
  expect(() => number("1.5")).toThrow('The fixture holds "1.5"');
});
