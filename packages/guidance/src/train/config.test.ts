import { expect, test } from "vitest";
import { ConfigError, checkConfig, defaultConfig, presets } from "./config.ts";

test("presets are whole and valid", () => {
  for (const preset of Object.values(presets)) expect(checkConfig(preset)).toEqual(preset);
});

test("each field that is off is named", () => {
  const value = { ...defaultConfig, student: { ...defaultConfig.student, layers: 1, dropout: 1 }, colour: "red" };
  const check = () => checkConfig(value);
  expect(check).toThrow(ConfigError);
  expect(check).toThrow(
    "student.layers: it is 1, expected a whole number from 2 to 1000; " +
      "student.dropout: it is 1, expected a number from 0 to below 1; " +
      'there is no field "colour", expected the fields of a configuration',
  );
  expect(() => checkConfig({ ...defaultConfig, guide: { ...defaultConfig.guide, mode: "evl" } })).toThrow(
    'guide.mode: it is "evl", expected one of train, eval',
  );
  expect(() => checkConfig({ ...defaultConfig, epochs: 0, seed: undefined })).toThrow(
    /seed: it is missing, expected a whole number from 0 to 4294967294; epochs: it is 0, expected .* at least 1 or null/,
  );
});

test("a field out of several bounds is named once", () => {
  const { student, guide } = defaultConfig;
  const value = {
    ...defaultConfig,
    batchSize: 0.5,
    student: { ...student, layers: 0 },
    guide: { ...guide, batchSize: 0 },
  };
  expect(() => checkConfig(value)).toThrow(
    /: batchSize: it is 0\.5, expected [^;]*; student\.layers: it is 0, expected [^;]*; guide\.batchSize: it is 0, expected [^;]*$/,
  );
});

test("something must end the training", () => {
  expect(() => checkConfig({ ...defaultConfig, steps: null })).toThrow("neither steps nor epochs");
});
