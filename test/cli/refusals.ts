// Runs command lines that must be refused, one after the other in one process, and prints their errors as JSON. A process of
// its own each would take a second; run by vitest they would not meet the loader that plugins meet.
//
//   node --import tsx --import packages/cli/bin/hooks.mjs refusals.ts '[["plan", "--plugin", "mine.ts"], ...]'

import { argv } from "node:process";
import { buildProgram, describeError } from "@guidance/cli";

const lines: string[] = [];
for (const args of JSON.parse(argv[2] ?? "[]") as string[][]) {
  const refused = await buildProgram()
    .parseAsync(args, { from: "user" })
    .then(() => "it was not refused", describeError);
  lines.push(refused);
}
console.log(JSON.stringify(lines));
