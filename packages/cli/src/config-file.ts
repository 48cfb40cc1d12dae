/**
 * Configurations from files: YAML (so JSON too) with the fields of a configuration, all of them optional, over those of a
 * preset; and single fields as `a.b=value`. What they hold is checked with the whole configuration afterwards.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { ConfigError, SEAL, systemReason } from "@guidance/guidance";
import { ValueError } from "@guidance/tensor";

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value of a YAML text. Its library takes long to load, and most commands read none. */
const parse: typeof import("yaml").parse = (...text) => createRequire(import.meta.url)("yaml").parse(...text);

/** The fields in a YAML file. */
export function readConfigFile(file: string): Fields {
  let value: unknown;
  try {
    value = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ValueError({
      what: "--config",
      facts: `cannot read "${file}" (${systemReason(error).trim().split("\n")[0]})`,
      expected: "a YAML or JSON file with fields of a configuration",
      hint: "guidance schema prints which there are",
    });
  }
  if (!isFields(value ?? {})) {
    throw new ValueError({ what: "--config", facts: `"${file}" holds no fields`, expected: "lines such as alpha: 1" });
  }
  // the configuration of a run says what it is, and may be edited for the next one
  const { [SEAL]: _seal, ...fields } = (value ?? {}) as Fields;
  return fields;
}

/** The fields that assignments such as `student.layers=20` name. */
export function parseAssignments(assignments: readonly string[]): Fields {
  const fields: Fields = {};
  for (const text of assignments) {
    const equals = text.indexOf("=");
    const path = text.slice(0, equals).trim();
    if (equals < 1 || path === "" || path.split(".").includes("")) {
      throw new ValueError({
        what: "--set",
        facts: `it is "${text}"`,
        expected: "a field and a value, as student.layers=20",
      });
    }
    let value: unknown;
    try {
      value = parse(text.slice(equals + 1));
    } catch (error) {
      throw new ValueError({
        what: "--set",
        facts: `the value of "${text}" is no YAML (${(error as Error).message.split("\n")[0]})`,
      });
    }
    overlay(fields, path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Fields);
  }
  return fields;
}

/** Names under which an object has what all objects share. */
const SHARED = ["__proto__", "constructor", "prototype"];

/**
 * Replaces the fields of `base` by those of `fields`; of objects in both, field by field. Throws ConfigError for names that
 * are those of no field in any object.
 */
export function overlay(base: Fields, fields: Fields): void {
  for (const [key, value] of Object.entries(fields)) {
    if (SHARED.includes(key)) {
      const facts = `there is no field "${key}"`;
      throw new ConfigError([{ field: "", facts, expected: "the fields of a configuration" }]);
    }
    const own = base[key];
    if (isFields(own) && isFields(value)) overlay(own, value);
    else base[key] = value;
  }
}
