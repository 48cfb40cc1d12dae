// The dashboard's commands: where it is stands on their output, for people or machines, and Ctrl-C ends them well.

import { expect, test } from "vitest";
import { scratch, start, tiny } from "../cli/command.ts";

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

test("on all interfaces it tells an address that can be opened, and the others", async () => {
  const ui = start(["ui", ".", "--port", "0", "--host", "0.0.0.0"], fresh());
  const last = await ui.found(/^(?:dashboard|or) +(http:\/\/127\.0\.0\.1:\d+\/)\n/m);
  expect((await fetch(last)).status).toBe(200);
  ui.kill("SIGINT");
  const { output } = await ui.ended;
  expect(output).toMatch(/^dashboard http:\/\/[\d.]+:\d+\/\n(or {8}http:\/\/[\d.]+:\d+\/\n)*Ctrl-C ends it\n$/);
  expect(output).not.toContain("//0.0.0.0");
});

test.each([
  ["--quiet", /^dashboard (http\S+)\n/],
  ["--json", /^\{"kind":"dashboard","url":"(http[^"]+)"\}\n/m],
])("a training tells where its dashboard is with %s, too", async (option, pattern) => {
  const settings = "--no-baseline --guide-steps 0 --steps 100000 --folder run --ui --port 0".split(" ");
  const training = start(["train", ...tiny, ...settings, option], fresh());
  const url = await training.found(pattern);
  expect(new URL(url).hash).toBe("#run");
  expect((await fetch(url)).status).toBe(200);
  training.kill("SIGTERM");
  expect((await training.ended).status).toBe(143);
});
