import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { JsonObject } from "./json.ts";
import { readSealed, type SealFormat, seal, unseal, writeSealed } from "./sealed.ts";

const folder = mkdtempSync(join(tmpdir(), "guidance-sealed-"));
afterAll(() => rmSync(folder, { recursive: true }));

const format: SealFormat = { name: "recipe", version: 2, hint: "Bake again" };
const body = { eggs: 3, loss: Number.NaN, list: [1, "ü", null] };

test("property: what is sealed is had back, on one line or indented", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 2), (object, indent) => {
      const { guidance: _mark, ...fields } = object;
      const text = seal(format, fields as JsonObject, indent);
      expect(JSON.stringify(unseal(format, text, "here"))).toBe(JSON.stringify(fields));
    }),
  );
});

test("a file is readable, and keeps numbers that are not finite", async () => {
  const path = join(folder, "recipe.json");
  await writeSealed(path, format, body);
  expect(await readSealed(path, format)).toEqual(body);
  expect(readFileSync(path, "utf8")).toMatch(
    /^\{\n {2}"eggs": 3,\n[\s\S]*"format": "recipe",\n {4}"version": 2,\n {4}"sha256": "/,
  );
  // as programs that indent otherwise leave it
  writeFileSync(path, JSON.stringify(JSON.parse(readFileSync(path, "utf8")), undefined, "\t"));
  expect(await readSealed(path, format)).toEqual(body);
});

const whole = seal(format, body);
test.each([
  ["", /^recipe: here is damaged: it is not JSON \(.*\)\. .*recipe, version 2\)\. Bake again\.$/],
  [whole.slice(0, -1), "here is damaged: it is not JSON"],
  ["[".repeat(100_000), "here is damaged: it is not JSON"],
  ["[]", "here is no JSON object"],
  ["{}", "here has no version and checksum"],
  [seal({ ...format, name: "summary" }, body), 'here has the format "summary"'],
  [seal({ ...format, version: 1 }, body), "here has version 1"],
  ['{"guidance":{}}', "here has the format null"],
  [whole.replace("3", "4"), "here is damaged or was edited: its checksum does not fit"],
  [whole.replace('"eggs":3,', ""), "its checksum does not fit"],
])("other text is refused: %.40s", (text, message) => {
  expect(() => unseal(format, text, "here")).toThrow(message);
});

test("a file that cannot be read or written is named", async () => {
  const path = join(folder, "absent", "recipe.json");
  await expect(readSealed(path, format)).rejects.toThrow(
    /^recipe: cannot read ".*recipe\.json" \(no such file or folder\)/,
  );
  await expect(writeSealed(path, format, {})).rejects.toThrow(
    /^run: cannot write ".*recipe\.json" \(no such file or folder\)/,
  );
});
