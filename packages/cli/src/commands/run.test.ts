// The files of a run may have been edited, cut short or written by something else.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultConfig, type JsonObject, seal } from "@guidance/guidance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hashPlugins } from "../plugins.ts";
import { lastAdapter, pluginsChanged, readRun } from "./run.ts";

let folder: string;
const put = (name: string, file: string, body: unknown) =>
  writeFile(join(folder, file), seal({ name: `${name} of a run`, version: 1, hint: "" }, body as JsonObject));
const putEnvironment = (body: unknown) => put("environment", "environment.json", body);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "guidance-run-"));
  await put("configuration", "config.json", defaultConfig);
});
afterAll(() => rm(folder, { recursive: true }));

const whole = { plugins: ["/mine.ts"], guides: "../guides", choices: { a: "b" }, starts: [{ adapter: "cpu float32" }] };

test("what was written is read", async () => {
  await putEnvironment(whole);
  const { config, plugins, guides, choices } = await readRun(folder);
  expect({ config, plugins, guides }).toEqual({
    config: defaultConfig,
    plugins: ["/mine.ts"],
    guides: join(folder, "..", "guides"),
  });
  expect([...(choices ?? [])]).toEqual([["a", "b"]]);
  expect(await lastAdapter(folder)).toBe("cpu float32");
});

test.each([
  [{}, "has no list of paths as `plugins`"],
  [{ ...whole, plugins: [1] }, "has no list of paths as `plugins`"],
  [{ ...whole, guides: undefined }, "has no path as `guides`"],
  [{ ...whole, starts: "none" }, "has no list of records as `starts`"],
  [{ ...whole, starts: [null] }, "has no list of records as `starts`"],
  [{ ...whole, choices: { a: 1 } }, "has no table of names as `choices`"],
])("an environment.json of %j is refused by name", async (environment, facts) => {
  await putEnvironment(environment);
  await expect(readRun(folder)).rejects.toThrow(
    `environment of a run: "${join(folder, "environment.json")}" ${facts}. Expected`,
  );
  await expect(lastAdapter(folder)).rejects.toThrow(facts);
});

test("another code of the plugins is noticed", async () => {
  const plugin = join(folder, "mine.ts");
  await writeFile(plugin, "1;");
  const hash = await hashPlugins([plugin]);
  await putEnvironment({ ...whole, plugins: [plugin], starts: [{ plugins: hash }] });
  expect(await pluginsChanged(folder)).toBe(false);
  await writeFile(plugin, "2;");
  expect(await pluginsChanged(folder)).toBe(true);
  await putEnvironment({ ...whole, plugins: [], starts: [{ plugins: null }] });
  expect(await pluginsChanged(folder)).toBe(false);
});

test("files that were edited or are of an earlier version are refused by name", async () => {
  await putEnvironment(whole);
  const path = join(folder, "config.json");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('"seed":0', '"seed":1'));
  await expect(readRun(folder)).rejects.toThrow(/config\.json" is damaged or was edited: its checksum does not fit/);
  await writeFile(path, JSON.stringify(defaultConfig));
  await expect(readRun(folder)).rejects.toThrow(/config\.json" has no version and checksum\. .*start a new run\.$/);
});
