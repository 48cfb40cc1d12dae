// What the student of a run takes images for.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type JsonObject, seal } from "@guidance/guidance";
import { expect, test } from "vitest";
import { guidance, scratch, tiny } from "./command.ts";

const fresh = scratch();
const image = (name: string) => fileURLToPath(new URL(`../fixtures/images/${name}`, import.meta.url));

test("classes come with probabilities that add up, and a bad image is named without hiding the others", async () => {
  const cwd = fresh();
  const trained = await guidance(["train", ...tiny, "--no-baseline", "--folder", "run"], { cwd });
  expect(trained.status, trained.output).toBe(0);
  const common = ["predict", "--run", "run", "--device", "cpu"];
  const { status, stdout } = await guidance([...common, "--json", image("grey.jpg"), image("colour.jpg")], { cwd });
  expect(status).toBe(0);
  const found = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(found.map(({ file }) => file)).toEqual([image("grey.jpg"), image("colour.jpg")]);
  for (const { classes } of found) {
    const probabilities = classes.map(({ probability }: { probability: number }) => probability);
    expect(probabilities).toHaveLength(4);
    expect(probabilities.reduce((sum: number, one: number) => sum + one)).toBeCloseTo(1, 5);
    expect(probabilities).toEqual([...probabilities].sort((a, b) => b - a));
  }

  const { guidance: _seal, ...data } = JSON.parse(readFileSync(join(cwd, "run", "data.json"), "utf8"));
  data.format.classNames = ["cat", "dog", "bird", "fish"];
  const put = (body: JsonObject) =>
    writeFileSync(join(cwd, "run", "data.json"), seal({ name: "data of a run", version: 1, hint: "" }, body));
  put(data);
  writeFileSync(join(cwd, "note.txt"), "no image");
  const mixed = await guidance([...common, "--top", "1", "note.txt", image("grey.jpg"), "none.png"], { cwd });
  expect(mixed.status).toBe(1);
  expect(mixed.stdout).toMatch(/^.*grey\.jpg\n {2}(cat|dog|bird|fish) +[\d.]+ %\n$/);
  expect(mixed.stderr).toMatch(
    /^error: image "note\.txt": it is no JPEG.*\nerror: image: cannot read "none\.png" \(no such file or folder\)\.\n$/,
  );

  put({});
  const broken = await guidance([...common, image("grey.jpg")], { cwd });
  expect([broken.status, broken.stderr]).toEqual([
    1,
    expect.stringMatching(/^error: data of a run: ".*data\.json" is off at/),
  ]);
});
