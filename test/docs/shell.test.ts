// Every line of every shell block runs: `guidance` in this process, in a folder that has all that the pages speak of, and other
// programs as they are. Sizes come from small.ts, which says what of a line it replaces.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDevice } from "@guidance/shaders";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { mustRun, root, startProgram } from "../support/command.ts";
import { openTier } from "../support/tiers.ts";
import { execute, found, interrupt, listen, parse, printed } from "./in-process.ts";
import { commandsOf, definition, guidanceArgs, shellLines } from "./lines.ts";
import { outcomeOf } from "./outcomes.ts";
import { scriptOf } from "./scripts.ts";
import { type Servers, serve } from "./servers.ts";
import { replace, replaced, withSizes } from "./small.ts";
import { damageRun, makeWorld, stopRun } from "./world.ts";

const jq = await openTier(
  "jq",
  () => mustRun("jq", ["--version"]),
  (version) => version.trim(),
);
const webgpu = await openTier("webgpu", openDevice, ({ description }) => description);
webgpu?.close();
const swiftshader = await openTier(
  "swiftshader",
  () => openDevice({ device: "swiftshader" }),
  ({ description }) => description,
);
swiftshader?.close();

const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

let folder: string;
let servers: Servers;
const home = process.cwd();
beforeAll(async () => {
  folder = mkdtempSync(join(root, "test/.docs-shell-"));
  process.chdir(folder);
  servers = await serve();
  vi.stubEnv("HF_ENDPOINT", servers.url);
  vi.stubEnv("WANDB_BASE_URL", servers.url);
  vi.stubEnv("WANDB_API_KEY", "key");
  listen();
  await makeWorld();
  vi.restoreAllMocks();
});
afterAll(() => {
  vi.unstubAllEnvs();
  servers.close();
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(listen);
afterEach(() => vi.restoreAllMocks());

const places = () => ({ server: servers.url, figures: join(folder, "figures.json") });

/** Runs a recipe of jq, on a file of the run or on what a command printed, and expects it to give something but null. */
async function runJq(line: string, input?: string): Promise<void> {
  if (jq === undefined) return; // the end of the run says so
  if (input !== undefined) writeFileSync("input.json", input);
  const output = await mustRun("bash", ["-c", input === undefined ? line : `${line} <input.json`], { cwd: folder });
  expect(output).toMatch(/\S/);
  expect(output).not.toMatch(/\bnull\b/);
}

type Table<T> = readonly (readonly [line: RegExp, T])[];

/** What is to be there before a line. */
const before: Table<() => void> = [
  [/^train --resume \S+$/, stopRun],
  [/^train --resume .* --checkpoint best$/, damageRun],
];

/** What a server has got after a line. */
const received: Table<RegExp> = [
  [/ --mlflow /, /\/runs\/update .*"status":"FINISHED"/],
  [/ --wandb /, /^\/files\/entity\/project\/\w+\/file_stream .*"complete":true/],
  [/^fetch /, /\/resolve\/main\/data\/validation-/],
];

/** Lines that show a page until Ctrl-C, where its address is, and their exit status then. */
const pageShown: Table<{ address: RegExp; status: number }> = [
  [/^ui( [^-]|$)/, { address: /^dashboard (http\S+)$[\s\S]*^Ctrl-C ends it$/m, status: 0 }],
  [/^train --ui$/, { address: /^dashboard (http\S+)$/m, status: 130 }],
];

/** Lines that are refused with the sizes they are given, and how. */
const refused: Table<RegExp> = [
  [/^bench /, /memory: the step needs [\d.]+ GB and the budget of webgpu .* is 1\.00 GB/],
];

/** What a line needs, where this machine may not have it; the end of the run says so. */
const needs: Table<boolean> = [
  [/^doctor --device swiftshader$/, swiftshader !== undefined],
  [/^(doctor|profile|tune|bench)( |$)/, webgpu !== undefined],
];

const of = <T>(table: Table<T>, line: string): T | undefined => table.find(([pattern]) => pattern.test(line))?.[1];

/** Runs a line to its end, and looks at what it prints, leaves and sends. */
async function runToEnd(line: string, args: readonly string[]): Promise<void> {
  const { prints, leaves = () => [] } = outcomeOf(args);
  for (const path of leaves(args)) rmSync(path, { recursive: true, force: true });
  of(before, line)?.();
  expect(await execute(withSizes(args))).toBe(0);
  const [, ...paths] = prints.exec(printed.stdout) ?? [];
  expect(printed.stdout).toMatch(prints);
  for (const path of [...leaves(args), ...paths]) expect(existsSync(path), path).toBe(true);
  const call = of(received, line);
  if (call) expect(servers.calls).toContainEqual(expect.stringMatching(call));
}

/** Runs a line until the page was seen whose address it prints. */
async function runUntilSeen(args: readonly string[], { address, status }: { address: RegExp; status: number }) {
  const running = execute(withSizes(args));
  await expectPage(await found(address));
  interrupt();
  expect(await running).toBe(status);
}

async function expectPage(address: string): Promise<void> {
  const response = await fetch(address);
  expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("<html")]);
}

/** Other scripts of the repository by the words after `pnpm`, and what runs them. */
const scripts: Table<(words: readonly string[]) => Promise<void>> = [
  // what runs these lines is one of them
  [/^test$/, async (words) => expect(scriptOf(words).line).toMatch(/^.* turbo run test /)],
  [/^bench /, async (words) => expect(await runScript(words)).toMatch(/\| guidance \|/)],
  [/^example quickstart$/, async (words) => expect(await runScript(words)).toMatch(/^step \d+: loss /m)],
  [/^example browser/, serveScript],
];

const shell = (words: readonly string[]) => {
  const { line, cwd, path } = scriptOf(replace(words, places()));
  return ["sh", ["-c", `exec ${line}`], { cwd, env: { PATH: path } }] as const;
};

/** A line that makes `guidance` a function, which then calls pnpm with all that it is given. */
async function expectDefinition(line: string): Promise<void> {
  const shown = `npx() { printf '[%s]' "$@"; }; ${line}; guidance train --name 'a b'`;
  expect(await mustRun("sh", ["-c", shown])).toBe(`[-y][${packageManager}][guidance][train][--name][a b]`);
}

const runScript = (words: readonly string[]): Promise<string> => mustRun(...shell(words));

async function serveScript(words: readonly string[]): Promise<void> {
  const server = startProgram(...shell(words));
  await expectPage(await server.found(/(http:\/\/127\.0\.0\.1:\d+\/)/));
  server.kill("SIGTERM");
  await server.ended;
}

const lines = shellLines().map(({ place, text }) => {
  const commands = commandsOf(text);
  const [words] = commands;
  const args = guidanceArgs(words);
  // the words that tables know it by
  const line = (args ?? words.slice(words[0] === "npx" ? 3 : 0)).join(" ");
  return { place, text, commands, args, line };
});

test("no table has an entry that is of no line", () => {
  for (const [pattern] of [before, received, pageShown, refused, needs, scripts, replaced].flat())
    expect(
      lines.some(({ line }) => line.search(pattern) >= 0),
      String(pattern),
    ).toBe(true);
});

describe.each(lines.map((line) => [line.place, line.text, line] as const))(
  "%s %s",
  (_place, text, { commands, args, line }) => {
    const [words, next] = commands;
    const isMissing = of(needs, line) === false;
    if (args === undefined) {
      test("runs", async () => {
        if (words[0] === "jq") return runJq(text);
        if (definition.test(text)) return expectDefinition(text);
        const script = of(scripts, line);
        if (words[0] !== "npx" || script === undefined) throw new Error("nothing is known of it");
        expect(words.slice(0, 3)).toEqual(["npx", "-y", packageManager]);
        await script(words.slice(3));
      });
      return;
    }

    test("is accepted", () => parse(args));

    test.skipIf(isMissing)("runs", async () => {
      const here = replace(args, places());
      const page = of(pageShown, line);
      const refusal = of(refused, line);
      if (page) await runUntilSeen(here, page);
      else if (refusal) await expect(execute(withSizes(here))).rejects.toThrow(refusal);
      else await runToEnd(line, here);
      if (next?.[0] === "jq") await runJq(text.slice(text.indexOf("jq ")), printed.stdout);
    });
  },
);
