/**
 * JSON that keeps the numbers of training: NaN and the infinities, which JSON lacks, are the strings "NaN", "Infinity"
 * and "-Infinity", and become numbers again when read.
 */

/** What JSON can hold, with numbers that need not be finite. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: JsonValue };

const NON_FINITE = new Map([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((x) => [String(x), x]));

/** `value` as text on one line, or indented by `indent` spaces. */
export function encodeJson(value: JsonValue, indent = 0): string {
  const replace = (_: string, item: unknown) =>
    typeof item === "number" && !Number.isFinite(item) ? String(item) : item;
  return JSON.stringify(value, replace, indent);
}

/** The value that `text` encodes; throws SyntaxError where it is not JSON. */
export function decodeJson(text: string): JsonValue {
  return JSON.parse(text, (_, item: unknown) => (typeof item === "string" ? (NON_FINITE.get(item) ?? item) : item));
}

/** Whether `value` is a JSON object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
