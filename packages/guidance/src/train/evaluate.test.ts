import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpuBackend } from "@guidance/tensor";
import { afterAll, expect, test } from "vitest";
import { closeSplits } from "../data/source.ts";
import { buildStudent } from "./build.ts";
import { loadExperimentData } from "./check.ts";
import { checkConfig } from "./config.ts";
import { smallConfig } from "./experiment.test.support.ts";
import { scoreModel } from "./score.ts";

const root = mkdtempSync(join(tmpdir(), "guidance-evaluate-"));
afterAll(() => rmSync(root, { recursive: true }));

const jpegs = ["colour.jpg", "unsampled.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg"];
const fixture = (name: string) => fileURLToPath(new URL(`../../../../test/fixtures/images/${name}`, import.meta.url));

/** A folder whose validation split has the images of `good`, and files that are none. */
function images(name: string, good: readonly string[], bad: readonly string[]): string {
  const put = (split: string, label: string, files: readonly string[]) => {
    const folder = join(root, name, split, label);
    mkdirSync(folder, { recursive: true });
    for (const file of files) copyFileSync(fixture(file), join(folder, file));
    return folder;
  };
  for (const label of ["a", "b"]) {
    put("train", label, jpegs);
    const folder = put("val", label, good);
    for (const file of bad) writeFileSync(join(folder, file), "no image");
  }
  return join(root, name);
}

/** Scores of one and the same untrained student. */
async function scoresOf(dataFolder: string) {
  const config = checkConfig({
    ...smallConfig,
    dataset: "folder",
    dataFolder,
    images: { ...smallConfig.images, size: 8, workers: 1 },
    batchSize: 4,
    guide: { ...smallConfig.guide, steps: 0 },
  });
  const backend = cpuBackend();
  const splits = await loadExperimentData(config);
  const { model } = buildStudent(config, splits);
  try {
    return await scoreModel(backend, model, splits, { split: "validation" });
  } finally {
    await closeSplits(splits);
    await backend.close();
  }
}

test("scores are those of the good images, however many bad ones are skipped between them", async () => {
  const good = jpegs.slice(0, 3);
  const clean = await scoresOf(images("clean", good, []));
  expect(clean.images).toBe(6);
  // before, between and behind the good ones in the order of names
  expect(await scoresOf(images("damaged", good, ["a.jpg", "d.jpg", "z.jpg"]))).toEqual(clean);
});

test("a split without a good image is refused", async () => {
  await expect(scoresOf(images("none", [], ["a.jpg"]))).rejects.toThrow(
    'scoring on "none validation": none of its 2 images can be used. Expected some good images.',
  );
});
