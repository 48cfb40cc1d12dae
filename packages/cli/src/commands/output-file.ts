import { access } from "node:fs/promises";
import { RunError } from "@guidance/guidance";

/** Throws RunError where there is something at `path` that may not be replaced. */
export async function checkOutput(what: string, path: string, force = false): Promise<void> {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists || force) return;
  throw new RunError({
    what,
    facts: `there is a file "${path}" already`,
    expected: "a name that is free",
    hint: "Choose another one with --out, or replace it with --force",
  });
}
