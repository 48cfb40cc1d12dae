/** Whether stored tensors are those a model has: by name, shape and element type. */

import type { SafetensorsType } from "@guidance/tensor";
import { RunError } from "./errors.ts";

/** Names listed in full in a message; of more only the number is said. */
const LISTED = 5;

/** The first names of a list, and how many more there are. */
export function listNames(names: readonly string[]): string {
  const rest = names.length - LISTED;
  return names.slice(0, LISTED).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function formatType({ dtype, shape }: SafetensorsType): string {
  return `${dtype} [${shape.join(", ")}]`;
}

/** Throws RunError, naming missing, unexpected and mis-shaped tensors, unless `found` has exactly those of `expected`. */
export function checkTensors(
  what: string,
  found: ReadonlyMap<string, SafetensorsType>,
  expected: ReadonlyMap<string, SafetensorsType>,
  hint = "Use the configuration that the checkpoint was trained with",
): void {
  const missing = [...expected.keys()].filter((name) => !found.has(name));
  const unexpected = [...found.keys()].filter((name) => !expected.has(name));
  const different = [...expected].flatMap(([name, type]) => {
    const stored = found.get(name);
    if (!stored || formatType(stored) === formatType(type)) return [];
    return [`${name} is ${formatType(stored)} instead of ${formatType(type)}`];
  });
  const facts = [
    missing.length > 0 && `missing: ${listNames(missing)}`,
    unexpected.length > 0 && `unexpected: ${listNames(unexpected)}`,
    different.length > 0 && `different: ${listNames(different)}`,
  ].filter((fact) => fact !== false);
  if (facts.length === 0) return;
  throw new RunError({
    what,
    facts: `its tensors do not fit the model (${facts.join("; ")})`,
    expected: `the ${expected.size} tensors of the model`,
    hint,
  });
}
