/** Configurations from files and assignments: their order, and what is refused. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { configFileSchema, defaultConfig, seal } from "@guidance/guidance";
import { Command } from "commander";
import { afterAll, expect, test } from "vitest";
import { describeError } from "./errors.ts";
import { addConfigOptions, buildConfig } from "./options.ts";

const folder = mkdtempSync(join(tmpdir(), "guidance-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function configOf(yaml: string, set: readonly string[] = [], ...flags: string[]) {
  const file = join(folder, "run.yaml");
  writeFileSync(file, yaml);
  const command = addConfigOptions(new Command()).exitOverride();
  command.parse(flags, { from: "user" });
  return buildConfig(command, { preset: "default", config: file, set });
}

function refusal(...args: Parameters<typeof configOf>): string {
  try {
    configOf(...args);
  } catch (error) {
    return describeError(error);
  }
  return "it was taken";
}

test("a file changes the preset, --set the file, and options both", () => {
  const yaml = "alpha: 1 # weight\nstudent:\n  layers: 20\n  width: 64\nguide: { steps: 0 }\n";
  expect(configOf(yaml, ["student.layers=30", "guide.disconnectAfter=null"], "--width", "32")).toEqual({
    ...defaultConfig,
    alpha: 1,
    student: { ...defaultConfig.student, layers: 30, width: 32 },
    guide: { ...defaultConfig.guide, steps: 0 },
  });
  expect(configOf("epochs: 2")).toEqual({ ...defaultConfig, steps: null, epochs: 2 });
  expect(configOf("")).toEqual(defaultConfig);
});

test("the configuration of a run may be edited for another", () => {
  const stored = JSON.parse(seal({ name: "configuration of a run", version: 1, hint: "" }, { ...defaultConfig }));
  expect(configOf(JSON.stringify({ ...stored, alpha: 3 }))).toEqual({ ...defaultConfig, alpha: 3 });
});

test("fields of made-up images that are left out have their defaults", () => {
  const { synthetic } = configOf(
    "dataset: synthetic\nsynthetic: { height: 8 }",
    ["synthetic.width=9"],
    "--synthetic-train",
    "7",
  );
  expect(synthetic).toMatchObject({ height: 8, width: 9, train: 7, channels: 1, classes: 10 });
  expect(refusal("", ["synthetic.heigth=8"])).toContain('there is no field "heigth"');
});

test("of steps and epochs the later source decides, and none has both", () => {
  expect(configOf("steps: 5", ["epochs=2"])).toEqual({ ...defaultConfig, steps: null, epochs: 2 });
  expect(configOf("epochs: 2", ["steps=5"])).toEqual({ ...defaultConfig, steps: 5, epochs: null });
  expect(configOf("epochs: 2", [], "--steps", "5")).toEqual({ ...defaultConfig, steps: 5, epochs: null });
  expect(configOf("steps: null\nepochs: 2")).toEqual({ ...defaultConfig, steps: null, epochs: 2 });
  expect(refusal("steps: 5\nepochs: 2")).toMatch(/^steps and epochs: ".*run\.yaml" has both\. Expected one of them/);
  expect(refusal("", ["steps=5", "epochs=2"])).toMatch(/^steps and epochs: --set has both\. /);
});

test("paths are kept absolute, whoever names them, so that a run can be resumed from anywhere", () => {
  const { dataFolder, guide } = configOf("dataFolder: mnist", ["guide.weights=guide.pth"]);
  expect([dataFolder, guide.weights]).toEqual([resolve("mnist"), resolve("guide.pth")]);
  expect(configOf("", [], "--data-folder", "mnist").dataFolder).toBe(resolve("mnist"));
  expect(configOf("", [], "--data", "images").dataFolder).toBe(resolve("images"));
});

test("names that all objects share are no fields", () => {
  for (const name of ["__proto__", "constructor", "prototype"]) {
    expect(refusal("", [`${name}.polluted=1`])).toContain(`there is no field "${name}"`);
    expect(refusal("", [`student.${name}.polluted=1`])).toContain(`there is no field "${name}"`);
    expect(refusal(`"${name}": { polluted: 1 }`)).toContain(`there is no field "${name}"`);
  }
  expect("polluted" in {}).toBe(false);
});

test("what does not fit is refused in one line", () => {
  expect(refusal("alhpa: 1")).toContain('there is no field "alhpa"');
  expect(refusal("student: { layers: 1 }")).toContain(
    "option --layers: it is 1. Expected a whole number from 2 to 1000",
  );
  expect(refusal("student: 3")).toContain("it is 3");
  expect(refusal("a: [")).toMatch(/--config: cannot read ".*run\.yaml"/);
  expect(refusal("- 1")).toContain("holds no fields");
  expect(refusal("", ["layers"])).toContain('--set: it is "layers". Expected a field and a value');
  expect(refusal("", ["student.lyaers=3"])).toContain('no field "lyaers" (Did you mean "layers"?)');
  expect(refusal("", ["stuent.layers=3"])).toContain('no field "stuent" (Did you mean "student"?)');
  expect(refusal("synthetic: { hieght: 3 }")).toContain('no field "hieght" (Did you mean "height"?)');
  expect(() => buildConfig(new Command(), { preset: "default", config: join(folder, "none.yaml"), set: [] })).toThrow(
    /cannot read ".*none\.yaml"/,
  );
});

test("the schema of files describes every field and demands none", () => {
  const schema = configFileSchema() as { properties: Record<string, unknown>; additionalProperties: boolean };
  expect(Object.keys(schema.properties)).toEqual(Object.keys(defaultConfig));
  expect(schema.additionalProperties).toBe(false);
  expect(JSON.stringify(schema)).not.toContain('"required"');
});
