// The files of a run may have been edited, cut short or written by something else.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultConfig } from "@guidance/guidance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lastAdapter, readRun } from "./run.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "guidance-run-"));
  await writeFile(join(folder, "config.json"), JSON.stringify(defaultConfig));
});
afterAll(() => rm(folder, { recursive: true }));

const whole = { plugins: ["/mine.ts"], guides: "../guides", choices: { a: "b" }, starts: [{ adapter: "cpu float32" }] };
const put = (environment: unknown) => writeFile(join(folder, "environment.json"), JSON.stringify(environment));

test("what was written is read", async () => {
  await put(whole);
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
  [[], "is no JSON object"],
  [null, "is no JSON object"],
])("an environment.json of %j is refused by name", async (environment, facts) => {
  await put(environment);
  await expect(readRun(folder)).rejects.toThrow(`run: "${join(folder, "environment.json")}" ${facts}. Expected`);
  await expect(lastAdapter(folder)).rejects.toThrow(facts);
});
