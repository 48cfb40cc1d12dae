/**
 * Which student layer each teacher layer aligns with.
 *
 * Two networks of different depth are paired by relative depth: teacher layers are spread evenly over the student's, the
 * first on the first and the last on the last. The rounding follows Python's `round` (half to even) and the step is
 * computed before it is multiplied, as in the original; i * (b - 1) / (a - 1) would pick other layers in a few cases.
 */

import { ValueError } from "@guidance/tensor";

/** Nearest integer of a value >= 0, halves to the even neighbour, like Python's `round`. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}

function checkCount(name: string, count: number): void {
  if (Number.isInteger(count) && count >= 1) return;
  throw new ValueError({
    what: "mapLayers",
    facts: `the ${name} has ${count} layers with features`,
    expected: "at least one",
    hint: `Check that the ${name} contains layers whose features are extracted`,
  });
}

/** The student layer (index from 0) of each teacher layer; throws ValueError unless both counts are at least 1. */
export function mapLayers(teacherCount: number, studentCount: number): number[] {
  checkCount("teacher", teacherCount);
  checkCount("student", studentCount);
  const step = teacherCount > 1 ? (studentCount - 1) / (teacherCount - 1) : 1;
  return Array.from({ length: teacherCount }, (_, teacher) =>
    Math.min(roundHalfToEven(teacher * step), studentCount - 1),
  );
}

/**
 * The `[teacher, student]` pairs that count, in order of the student layers' first appearance in `map`.
 *
 * Scores are keyed by the student layer, so where several teacher layers map to one student layer only the last counts.
 */
export function effectivePairs(map: readonly number[]): [teacher: number, student: number][] {
  const teachers = new Map<number, number>();
  map.forEach((student, teacher) => {
    teachers.set(student, teacher);
  });
  return [...teachers].map(([student, teacher]) => [teacher, student]);
}
