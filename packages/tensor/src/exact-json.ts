/**
 * JSON as the text that equal data share, and no other: plain JSON writes -0 as 0, and NaN and both infinities as null,
 * although constants of a kernel may be any of them.
 */
export function exactJson(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    typeof part === "number" && (!Number.isFinite(part) || Object.is(part, -0))
      ? { number: Object.is(part, -0) ? "-0" : String(part) }
      : part,
  );
}
