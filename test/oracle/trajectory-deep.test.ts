// Three steps of the deep student, which has more layers than its guide, in float64.

import { cpuBackend } from "@guidance/tensor";
import { expect, test } from "vitest";
import { fixture } from "../support/oracle-trajectory-fixture.ts";
import { testTrajectories } from "../support/oracle-trajectory-test.ts";

testTrajectories("deep", cpuBackend({ precision: "float64" }));

test("the students are those that the trajectory tests run", () => {
  const students = ["deep", "shallow", "student"];
  expect(fixture.students.map(({ id }) => id).sort()).toEqual(students);
  expect([...new Set(fixture.runs.map(({ student }) => student))].sort()).toEqual(students);
});
