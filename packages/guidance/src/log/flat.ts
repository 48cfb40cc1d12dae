import { isJsonObject, type JsonObject, type JsonValue } from "../run/json.ts";

/** The plain values of an object by dotted path, e.g. `student.layers`. */
export function flatten(value: JsonObject, prefix = ""): [path: string, value: JsonValue][] {
  return Object.entries(value).flatMap(([key, inner]): [string, JsonValue][] =>
    isJsonObject(inner) ? flatten(inner, `${prefix}${key}.`) : [[prefix + key, inner]],
  );
}
