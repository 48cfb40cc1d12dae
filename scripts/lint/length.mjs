// A file that needs scrolling hides its one purpose. Over the aim is a warning, except in tests, whose cases are read one
// at a time; over the limit is an error everywhere.
//
//   node scripts/lint/length.mjs [repository root]

import { argv, cwd, exit } from "node:process";
import { sources } from "./sources.mjs";

const aim = 200;
const limit = 400;

const long = sources(argv[2] ?? cwd())
  .map(({ path, text, isTest }) => ({ path, lines: text.split("\n").length - 1, most: isTest ? limit : aim }))
  .filter(({ lines, most }) => lines > most);
for (const { path, lines } of long) {
  const verdict = lines > limit ? `error: the limit is ${limit}` : `warning: aim for ${aim}`;
  console.error(`${path}: ${lines} lines, ${verdict}`);
}
exit(long.some(({ lines }) => lines > limit) ? 1 : 0);
