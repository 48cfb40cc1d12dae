// Tests of the runs of trajectory.json, shared by the files that split them between test processes.

import type { Backend } from "@guidance/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { RecordedGuide } from "./oracle-guide.ts";
import { train } from "./oracle-trajectory.ts";
import { expectFloat32, expectFloat64 } from "./oracle-trajectory-expect.ts";
import { runsOf } from "./oracle-trajectory-fixture.ts";

/** One run of each student computes the guide inside its steps; the others share recorded features. */
const wholeRuns = [
  "student/guide_eval/lr0.001/single",
  "shallow/guide_train/lr0.0001/notebook",
  "deep/guide_train/lr0.001/notebook",
];

const guide = new RecordedGuide();
afterAll(() => guide.close());

/** Tests every run of a student on a backend, by the tolerances of its precision. */
export function testTrajectories(student: string, backend: Backend): void {
  const runs = runsOf(student);
  const check = backend.precision === "float64" ? expectFloat64 : expectFloat32;

  describe(`${student} on ${backend.name}`, () => {
    test("the runs cover every way of guidance and one computes the guide in its steps", () => {
      expect(runs.filter(({ id }) => wholeRuns.includes(id))).toHaveLength(1);
      expect(new Set(runs.map((run) => run.guide))).toEqual(new Set([null, "eval", "train"]));
      expect(new Set(runs.map(({ mode }) => mode))).toEqual(new Set([null, "notebook", "single"]));
    });

    // seconds on a free core; a busy machine must not fail it
    test.each(runs)("$id", { timeout: 600_000 }, async (run) => {
      check(await train(backend, run, wholeRuns.includes(run.id) ? undefined : guide), run);
    });
  });
}
