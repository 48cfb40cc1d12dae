/**
 * Running code of a user's: what a plugin registers. Whatever it throws or returns becomes one line that says whose code
 * it was, what is wrong with it and where.
 */
import { GuidanceError, ValueError } from "@guidance/tensor";

/** What `run` gives; an error that says nothing of its own place becomes one of `what`, e.g. `student "mine"`. */
export function runOwn<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw ownError(what, error);
  }
}

/** The same for what a promise comes to. */
export async function awaitOwn<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw ownError(what, error);
  }
}

function ownError(what: string, error: unknown): unknown {
  if (error instanceof GuidanceError) return error;
  const facts = error instanceof Error ? `${error.name}: ${error.message}` : describeValue(error);
  const described = new ValueError({
    what,
    facts: `it threw ${facts
      .trim()
      .replace(/\s*\n\s*/g, " ")
      .replace(/\.$/, "")}`,
    site: error instanceof Error ? siteOf(error) : undefined,
  });
  described.cause = error;
  return described;
}

/** `file:line:column` where an error was thrown, Node's own code left out. */
function siteOf({ stack = "" }: Error): string | undefined {
  const frame = stack.split("\n").find((line) => /^\s*at .*:\d+:\d+\)?$/.test(line) && !line.includes("node:"));
  return frame
    ?.replace(/^\s*at\s+/, "")
    .replace(/^.*\((.*)\)$/, "$1")
    .replace(/^(async )?file:\/\//, "");
}

/** What a value is, in words, for messages about values that are something else than expected. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null || typeof value === "number" || typeof value === "boolean")
    return String(value);
  if (typeof value === "string") return `"${value}"`;
  if (typeof value === "function") return `the function ${value.name || "without a name"}`;
  if (value instanceof Promise) return "a promise";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = (value as object).constructor?.name ?? "Object";
  return name === "Object" ? "a plain object" : `an object of class ${name}`;
}
