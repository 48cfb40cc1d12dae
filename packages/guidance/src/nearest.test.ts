import { expect, test } from "vitest";
import { nearestName } from "./nearest.ts";

const names = ["mnist", "fashion-mnist", "synthetic"];

test.each([
  ["mnits", "mnist"],
  ["MNIST", "mnist"],
  ["fashion", "fashion-mnist"],
  ["syntetic", "synthetic"],
  ["imagenet", undefined],
  ["", undefined],
])("%s is meant to be %s", (name, nearest) => {
  expect(nearestName(name, names)).toBe(nearest);
});
