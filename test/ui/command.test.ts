// `guidance ui` as a command: where the dashboard is stands on its output, for people or machines, and Ctrl-C ends it well.

import { expect, test } from "vitest";
import { scratch, start } from "../cli/command.ts";

const fresh = scratch();

test.each([
  ["lines for people", [], /^dashboard (http\S+)\nCtrl-C ends it\n/],
  ["the address alone", ["--quiet"], /^dashboard (http\S+)\n$/],
  ["JSON for machines", ["--json"], /^\{"url":"(http[^"]+)"\}$/m],
])("%s", async (_what, options, pattern) => {
  const ui = start(["ui", ".", "--port", "0", ...options], fresh());
  const url = await ui.found(pattern);
  expect((await fetch(url)).status).toBe(200);
  ui.kill("SIGINT");
  const { status, output } = await ui.ended;
  expect(status, output).toBe(0);
});
