/** Whole runs on photographs in a folder, in Parquet and in tar: trained, stopped and resumed to the same bits. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixtureBytes, jpegNames } from "../data/images/fixtures.test.support.ts";
import { writeImageFolder, writeParquet, writeTar } from "../data/images/stored.test.support.ts";
import { type PixelTransform, threadModules, transforms } from "../data/images/transforms.ts";
import { closeSplits } from "../data/source.ts";
import { loadExperimentData } from "./check.ts";
import { checkConfig, type TrainConfig } from "./config.ts";
import { InterruptedError } from "./errors.ts";
import { metrics, runSmall, runsFolder, smallConfig } from "./experiment.test.support.ts";
import type { Observer } from "./observer.ts";

const root = mkdtempSync(join(tmpdir(), "guidance-photographs-"));
afterAll(() => rmSync(root, { recursive: true }));
const runs = runsFolder();

const classNames = ["apple", "pear", "quince"];
const images = classNames.flatMap((_, label) =>
  jpegNames.map((name) => ({ bytes: fixtureBytes(name), label, name: `${label}-${name}` })),
);

beforeAll(() => {
  for (const split of ["train", "val"]) {
    writeImageFolder(join(root, "folder", split), classNames, images);
    writeParquet(join(root, `parquet/${split}-00000-of-00001.parquet`), images, { rowGroupSize: 5, classNames });
    writeTar(join(root, `tar/${split}/000000.tar`), images);
  }
  writeFileSync(join(root, "folder/train/pear/broken.jpg"), fixtureBytes("colour.jpg").subarray(0, 200));
});

const configOf = (name: string): TrainConfig =>
  checkConfig({
    ...smallConfig,
    dataset: "folder",
    dataFolder: join(root, name),
    images: { ...smallConfig.images, size: 16, workers: 1 },
    batchSize: 6,
    steps: 7,
    validateEvery: 3,
    baseline: false,
    guide: { ...smallConfig.guide, steps: 0 },
  });

async function run(config: TrainConfig, folder: string, options: { resume?: boolean; stopAt?: number } = {}) {
  const said: string[] = [];
  const splits = await loadExperimentData(config, (line) => said.push(line));
  const controller = new AbortController();
  const observer: Observer = {
    step: ({ step }) => {
      if (step === options.stopAt) controller.abort();
    },
  };
  try {
    const { resume = false } = options;
    const { signal } = controller;
    const result = await runSmall({ config, splits, folder, guideCache: runs.cache, observer, signal, resume });
    const skipped = said.filter((line) => line.startsWith("skipped"));
    expect(result.badImages).toBe(skipped.length);
    expect(JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")).badImages).toBe(skipped.length);
  } finally {
    await closeSplits(splits);
  }
  return said;
}

const weights = (folder: string) =>
  JSON.parse(readFileSync(join(folder, "guided", "last.json"), "utf8")).tensors.sha256;

test.each(["folder", "parquet", "tar"])(
  "%s: stopped in the middle of an epoch, a run goes on exactly",
  async (name) => {
    const config = configOf(name);
    const [whole, parts] = [runs.fresh(), runs.fresh()];
    const said = await run(config, whole);
    expect(said.filter((line) => line.startsWith("skipped"))).toHaveLength(name === "folder" ? 1 : 0);
    await expect(run(config, parts, { stopAt: 4 })).rejects.toThrow(InterruptedError);
    await run(config, parts, { resume: true });
    expect(weights(parts)).toBe(weights(whole));
    expect(metrics(parts, "guided")).toEqual(metrics(whole, "guided"));
  },
);

test("a bad image ends the run where it is told to", async () => {
  const config = configOf("folder");
  const strict = { ...config, images: { ...config.images, onBad: "fail" } } as const;
  await expect(run(strict, runs.fresh())).rejects.toThrow(/image ".*broken\.jpg": .* cannot be decoded/);
});

test("a transform of one's own runs in the threads, and a resumed run sees the same images", async () => {
  const speckle: PixelTransform = ({ data, width }, { size, uniform }) =>
    Uint8Array.from({ length: 3 * size * size }, (_, i) => (uniform() < 0.1 ? 255 : data[i % (3 * width)]));
  transforms.register("speckle", speckle);
  // a module as a plugin is one, which registers in the registry of its thread
  const module = join(root, "speckle.mts");
  const registry = new URL("../data/images/transforms.ts", import.meta.url);
  writeFileSync(module, `import { transforms } from "${registry}";\ntransforms.register("speckle", ${speckle});\n`);
  threadModules.push(pathToFileURL(module).href);

  const plain = configOf("folder");
  const config = { ...plain, images: { ...plain.images, trainTransform: "speckle", transform: "speckle" } };
  const [usual, whole, parts] = [runs.fresh(), runs.fresh(), runs.fresh()];
  await run(plain, usual);
  await run(config, whole);
  await expect(run(config, parts, { stopAt: 4 })).rejects.toThrow(InterruptedError);
  await run(config, parts, { resume: true });
  expect(weights(parts)).toBe(weights(whole));
  expect(metrics(parts, "guided")).toEqual(metrics(whole, "guided"));
  expect(weights(whole)).not.toBe(weights(usual));
});
