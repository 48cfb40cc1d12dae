// Real photographs from end to end: in a folder, in Parquet and in tar they train the same student, to the last bit.

import { readFileSync } from "node:fs";
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
