// The order of the test files: those that take minutes begin first, so that none of them runs alone at the end while the
// other cores have nothing to do. A clone knows no times yet, and the length of these files says nothing of theirs.

import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes longest, by how the path of its file begins, the longest first. */
const LONGEST = ["cli/kill", "cli/train", "cli/lost", "cli/tuning", "oracle/trajectory-s", "cli/plan", "docs/shell"];

/** How late a file may begin. */
function rank({ moduleId }: TestSpecification): number {
  const found = LONGEST.findIndex((start) => moduleId.includes(`/test/${start}`));
  return found < 0 ? LONGEST.length : found;
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}
