// Real photographs from end to end: in a folder, in Parquet and in tar they train the same student, to the last bit.

import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMetrics } from "@guidance/guidance";
import { expect, test } from "vitest";
import { guidance, scratch } from "./command.ts";

const fresh = scratch();
const photographs = fileURLToPath(new URL("../fixtures/photographs/", import.meta.url));

/** Two steps of the guide and eight of the student: four epochs of eight photographs. */
const train = [
  ..."train --device cpu --image-size 16 --workers 2 --batch 4 --steps 8 --validate-every 3 --seed 7".split(" "),
  ..."--layers 4 --first-width 8 --width 8 --guide-width 2 --guide-steps 2 --guide-batch 4 --folder run".split(" "),
];

async function trained(format: string) {
  const cwd = fresh();
  const { status, output } = await guidance([...train, "--data", join(photographs, format)], { cwd });
  expect(status, output).toBe(0);
  const arms = ["guided", "unguided"].map((arm) => {
    const { tensors } = JSON.parse(readFileSync(join(cwd, "run", arm, "last.json"), "utf8"));
    const metrics = readMetrics(join(cwd, "run", arm, "metrics.jsonl"));
    const records = metrics.map(({ seconds: _seconds, dataSeconds: _data, ...record }) => record);
    return { arm, weights: tensors.sha256, records };
  });
  const { arms: scores, guide } = JSON.parse(readFileSync(join(cwd, "run", "summary.json"), "utf8"));
  const tested = scores.map(({ test, testAtBest }: Record<string, unknown>) => ({ test, testAtBest }));
  return { output, results: { arms, tested, guide } };
}

test("photographs in a folder, in Parquet and in tar train the same student under the same guide", async () => {
  const { output, results } = await trained("folder");
  expect(output).toContain('"folder" has no test split with labels: the validation split serves as both');
  const kinds = results.arms[0].records.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === "step")).toHaveLength(8);
  // every third step, and at the ends of epochs of two
  expect(kinds.filter((kind) => kind === "validation")).toHaveLength(5);
  expect(results.guide).toMatchObject({ origin: "trained", images: 3 });
  for (const format of ["parquet", "tar"]) expect((await trained(format)).results).toEqual(results);
});

test("a run goes on with the data it began with and no others, and counts the bad images", async () => {
  const cwd = fresh();
  cpSync(join(photographs, "folder"), join(cwd, "photos"), { recursive: true });
  const [name] = readdirSync(join(cwd, "photos/train")).sort();
  const images = join(cwd, "photos/train", name);
  const [image] = readdirSync(images);
  copyFileSync(join(images, image), join(images, "short.jpg"));
  truncateSync(join(images, "short.jpg"), 300);
  const first = await guidance([...train, "--data", "photos", "--json"], { cwd });
  expect(first.status, first.output).toBe(0);
  expect(first.stderr).toContain("1 bad image was skipped: ");
  expect(JSON.parse(first.stdout.trim().split("\n").at(-1)!)).toMatchObject({ kind: "result", badImages: 1 });
  const summary = join(cwd, "run/summary.json");
  expect(JSON.parse(readFileSync(summary, "utf8")).badImages).toBe(1);

  // as it is where the run was stopped before its end
  rmSync(summary);
  const resume = () => guidance(["train", "--device", "cpu", "--resume", "run"], { cwd });
  copyFileSync(join(images, image), join(images, "zzz.jpg"));
  const refused = await resume();
  expect(refused.stderr).toMatch(
    /^error: resume: the data have changed since the run began: train \("photos train", 10 images\) has the hash \w{12} and had \w{12}\. .* Restore the data, or start a new run\.\n$/,
  );
  expect(refused.status).toBe(1);
  rmSync(join(images, "zzz.jpg"));
  const { status, output } = await resume();
  expect(status, output).toBe(0);
});
