// The PyTorch oracle: small JSON files whose meaning and tolerances stand in fixtures/README.md. GUIDANCE_FIXTURES, an
// absolute path, names another set for the same tests. A missing file is an error, so that no test can pass without it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The files of a set. */
export const fixtureNames = ["recipe", "cka", "ops", "layers", "resnet18", "trajectory", "optim"] as const;
export type FixtureName = (typeof fixtureNames)[number];

/**
 * Reads one file of the set.
 *
 * @throws Error when it is missing or no JSON
 */
export function readFixture<T>(name: FixtureName): T {
  const folder = process.env.GUIDANCE_FIXTURES || fileURLToPath(new URL("fixtures", import.meta.url));
  const path = join(folder, `${name}.json`);
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (error) {
    throw new Error(
      `Cannot read the fixture ${path}: ${(error as Error).message}. GUIDANCE_FIXTURES must be the absolute path of a ` +
        "folder with the files that test/fixtures has, or unset.",
      { cause: error },
    );
  }
}
