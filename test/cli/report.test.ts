// What is left of runs, shown: `report` and `plot` of finished, stopped, damaged and missing runs, and loggers that fail in
// the middle of one.

import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { guidance, outcome, scratch, tiny } from "./command.ts";

const cwd = scratch()();
const train = ["train", ...tiny, "--inspect-every", "2", "--validate-every", "2"];

/** A name that is HTML. */
const hostile = "<img src=x onerror=alert(1)>";

beforeAll(async () => {
  const runs = await Promise.all([
    guidance([...train, "--folder", "first"], { cwd }),
    guidance([...train, "--lr", "3e-3", "--folder", hostile], { cwd }),
  ]);
  for (const { status, output } of runs) expect(status, output).toBe(0);
});

async function refusal(args: readonly string[]): Promise<string> {
  const { status, stderr } = await guidance(args, { cwd });
  expect(stderr).toMatch(/^error: [^\n]*\n$/);
  expect(status).toBe(1);
  return stderr;
}

/** The elements of a page, which has to close what it opens. */
function elements(page: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  for (const [, end, name, close] of page
    .replace(/^<!doctype html>/, "")
    .matchAll(/<(\/?)([a-z][a-z\d]*)\b[^<>]*?(\/?)>/g)) {
    if (end) expect(open.pop()).toBe(name);
    else {
      names.push(name);
      if (!close && name !== "meta") open.push(name);
    }
  }
  expect(open).toEqual([]);
  return names;
}

test("a report of two runs is one page by itself, with all figures, scores and what differs", async () => {
  const { status, output } = await guidance(["report", "first", hostile], { cwd });
  expect(status, output).toBe(0);
  const page = readFileSync(join(cwd, "report.html"), "utf8");
  const names = elements(page);
  // 6 charts, and a map of each student for similarities and for gradients
  expect(names.filter((name) => name === "svg")).toHaveLength(6 + 2 * 4);
  for (const name of ["script", "img", "link", "iframe", "object", "a"]) expect(names).not.toContain(name);
  expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|\bsrc="|href=|url\(|@import/);
  expect(page).toContain("&#60;img src=x onerror=alert(1)&#62;");
  expect(page.match(/<tr class="differs"><th scope="row">([^<]*)</g)).toEqual([
    '<tr class="differs"><th scope="row">learningRate<',
  ]);
  expect(page).toContain("<td>0.001</td><td>0.003</td>");
  expect(page).toContain("student with guide, last weights (step 4)");
  expect(page).toContain("Both students had the same initial weights");
  expect(page).toContain("--inspect-every 2");
  expect(await refusal(["report", "first"])).toMatch(/there is a file "report.html" already.*--force/);
});

test("figures are files of SVG or PNG", async () => {
  const [svg, png] = await Promise.all([
    guidance(["plot", "first", hostile, "--figure", "similarity", "--out", "s.svg"], { cwd }),
    guidance(["plot", "first", "--figure", "layers", "--out", "layers.png"], { cwd }),
  ]);
  expect([svg.status, png.status], svg.output + png.output).toEqual([0, 0]);
  const text = readFileSync(join(cwd, "s.svg"), "utf8");
  elements(text);
  expect(text).toContain(">first guided</text>");
  const picture = readFileSync(join(cwd, "layers.png"));
  expect(picture.toString("latin1", 1, 4)).toBe("PNG");
  expect(picture.readUInt32BE(16)).toBeGreaterThan(200);
  // colour type of the header: red, green and blue without transparency
  expect(picture[25]).toBe(2);
});

test("an unfinished run says so, and a half-written last line is left out", async () => {
  cpSync(join(cwd, "first"), join(cwd, "stopped"), { recursive: true });
  for (const part of ["summary.json", "unguided"]) rmSync(join(cwd, "stopped", part), { recursive: true });
  appendFileSync(join(cwd, "stopped", "guided", "metrics.jsonl"), '{"kind":"st');
  const { status, output } = await guidance(["report", "stopped", "--out", "stopped.html"], { cwd });
  expect(status, output).toBe(0);
  const page = readFileSync(join(cwd, "stopped.html"), "utf8");
  elements(page);
  expect(page).toMatch(/not finished.*guidance train --resume stopped/);
  expect(page).toContain("guided: 4 of 4 steps, validation after step 4");
});

test("what cannot be shown is refused in one line", async () => {
  cpSync(join(cwd, "first"), join(cwd, "damaged"), { recursive: true });
  appendFileSync(join(cwd, "damaged", "guided", "metrics.jsonl"), '{"kind":"st\n');
  cpSync(join(cwd, "first"), join(cwd, "begun"), { recursive: true });
  for (const part of ["summary.json", "guided", "unguided"]) rmSync(join(cwd, "begun", part), { recursive: true });
  const refusals = await Promise.all([
    refusal(["report", "damaged", "--out", "d.html"]),
    refusal(["report", "nowhere", "--out", "n.html"]),
    refusal(["plot", "first", "--figure", "gradient", "--out", "g.png"]),
    refusal(["plot", "first", "--figure", "loss", "--out", "g.jpg"]),
    refusal(["report", ...Array(9).fill("first"), "--out", "n.html"]),
    refusal(["plot", "begun", "--figure", "gradients", "--out", "g.svg"]),
  ]);
  expect(refusals[0]).toMatch(/line \d+ of ".*damaged.guided.metrics\.jsonl" is damaged/);
  expect(refusals[1]).toMatch(/there is no folder "nowhere"/);
  expect(refusals[2]).toMatch(/Did you mean "gradients"/);
  expect(refusals[3]).toMatch(/\.svg or \.png/);
  expect(refusals[4]).toMatch(/there are 9 to be shown together.*at most 8.*Name fewer/);
  expect(refusals[5]).toMatch(/recorded nothing for the figure "gradients".*--inspect-every/);
  for (const file of ["d.html", "n.html", "g.png", "g.jpg", "g.svg"]) expect(existsSync(join(cwd, file))).toBe(false);
});

test("a full disk under the event file, and a server that is not there, cost a line each and nothing else", async () => {
  const failing = { code: "ENOSPC", files: "guided/events\\.out", bytes: 300 };
  const env = {
    NODE_OPTIONS: `--import ${new URL("failing-disk.mjs", import.meta.url)}`,
    FAILING_DISK: JSON.stringify(failing),
    WANDB_API_KEY: "hidden-key",
    WANDB_BASE_URL: "http://127.0.0.1:9",
  };
  const args = [...train, "--no-baseline", "--wandb", "project", "--folder", "full"];
  const { status, output } = await guidance(args, { cwd, env });
  expect(status, output).toBe(0);
  const warnings = output.match(/^warning: .*$/gm) ?? [];
  expect(warnings.filter((line) => line.includes("tensorboard"))).toEqual([
    expect.stringMatching(/^warning: logger tensorboard of guided: ENOSPC: .*; the training goes on without it$/),
  ]);
  expect(warnings.filter((line) => /of guided: .* have not reached 127\.0\.0\.1:9$/.test(line))).toHaveLength(1);
  expect(outcome(join(cwd, "full"))).toEqual(outcome(join(cwd, "first")));
  const left =
    readFileSync(join(cwd, "full", "environment.json"), "utf8") +
    readFileSync(join(cwd, "full", "config.json"), "utf8");
  expect(left + output).not.toContain("hidden-key");
  // those of a healthy run
  const [events] = readdirSync(join(cwd, "first", "guided")).filter((name) => name.includes("tfevents"));
  expect(statSync(join(cwd, "first", "guided", events)).size).toBeGreaterThan(1000);
});
