// With --quiet a command prints its result alone, from the first line on.

import { expect, test } from "vitest";
import { guidance, scratch, tiny, tinyData, tinyNetworks } from "./command.ts";

const fresh = scratch();
const sizes = ["--device", "cpu", ...tinyData, ...tinyNetworks];

test.each([
  ["train", [...tiny, "--guide-steps", "0", "--no-baseline"], /^on the test images /],
  ["compare", ["deep-fcn", "resnet18", ...sizes], /^linear-cka \(full\) on 12 images/],
  ["plan", [...tiny, "--budget", "0.0001"], /^\S/],
] as const)("%s", async (name, options, begin) => {
  const { status, stdout, stderr } = await guidance([name, ...options, "--quiet"], { cwd: fresh() });
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(begin);
});
