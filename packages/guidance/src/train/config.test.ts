import { expect, test } from "vitest";
import { ConfigError, checkConfig, defaultConfig, presets } from "./config.ts";

test("presets are whole and valid", () => {
  for (const preset of Object.values(presets)) expect(checkConfig(preset)).toEqual(preset);
});

test("each field that is off is named", () => {
  const value = { ...defaultConfig, student: { ...defaultConfig.student, layers: 1, dropout: 1 }, colour: "red" };
  const check = () => checkConfig(value);
  expect(check).toThrow(ConfigError);
  expect(check).toThrow(/student\.layers: .*student\.dropout: .*colour/);
});

test("something must end the training", () => {
  expect(() => checkConfig({ ...defaultConfig, steps: null })).toThrow("neither steps nor epochs");
});
