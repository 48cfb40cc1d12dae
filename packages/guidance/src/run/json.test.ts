import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeJson, encodeJson, isJsonObject, type JsonValue } from "./json.ts";

test("numbers that are not finite survive", () => {
  const value = { loss: Number.NaN, best: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] };
  expect(encodeJson(value)).toBe('{"loss":"NaN","best":["Infinity","-Infinity"]}');
  expect(decodeJson(encodeJson(value))).toEqual(value);
});

test("property: JSON is encoded as JSON, on one line", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = encodeJson(value as JsonValue);
      expect(text).toBe(JSON.stringify(value));
      expect(text).not.toContain("\n");
    }),
  );
});

test("objects are told from lists and from nothing", () => {
  expect([{}, [], null, 3, undefined].map(isJsonObject)).toEqual([true, false, false, false, false]);
});
