import { expect, it } from "vitest";
import { captureSite, withOneSite, withoutSites } from "./scope.ts";

it("has one call site for all that a function of many ops makes", () => {
  const sites = withOneSite(() => [captureSite(), withOneSite(captureSite)]);
  expect(new Set(sites).size).toBe(1);
  expect(captureSite()).not.toBe(sites[0]);
});

it("has none, whatever the function, where the compiler makes tensors", () => {
  const [own, inner] = withoutSites(() => [captureSite(), withOneSite(captureSite)]);
  expect(inner).toBe(own);
});

it("goes back to sites of their own when the function throws", () => {
  const fail = () => {
    throw new Error("no");
  };
  expect(() => withOneSite(fail)).toThrow("no");
  expect(captureSite()).not.toBe(captureSite());
});
