// Every line of every shell block is tried. The command line accepts each `guidance` line, and runs those that a second or
// two is enough for, on data of a few images; scripts of pnpm exist; jq runs. Nothing is left out without a reason, which
// stands in a table here.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildProgram } from "@guidance/cli";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { guidance, tiny } from "../cli/command.ts";
import { mustRun, root } from "../support/command.ts";
import { openTier } from "../support/tiers.ts";
import { commandsOf, guidanceArgs, shellLines, wordsOf } from "./lines.ts";
import { blocksOf, pages } from "./markdown.ts";

const jq = await openTier(
  "jq",
  () => mustRun("jq", ["--version"]),
  (version) => version.trim(),
);
const { packageManager, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Lines of `guidance` that are parsed and not run, and why. */
const onlyParsed: readonly (readonly [line: RegExp, reason: string])[] = [
  [/^(doctor|tune|profile|bench)/, "measures a WebGPU device, which takes a while"],
  [/ --data |^fetch /, "needs photographs or the network; test/cli has some"],
  [/ --data-folder /, "needs the files of a data set; guidance/src/data has tests with some"],
  [/^ui$|^ui [^-]|^train.* --ui/, "serves a page until it is stopped; test/ui looks at it"],
  [/ --(mlflow|wandb) /, "records in a server; the loggers' own tests have some"],
  [/ --resume /, "needs a run that was stopped; test/cli/kill.test.ts stops one"],
  [/ --plugin examples\//, "is run by test/examples"],
  [/^predict /, "needs an image file; test/cli/predict.test.ts has some"],
  [/resnet18\.pth/, "needs torchvision's weights; test/weights.test.ts has some like them"],
];

/** The run that the pages speak of. */
const RUN = "runs/20260131-120000-mnist";
/** Options that make a line small enough, by command. */
const small: Readonly<Record<string, readonly string[]>> = {
  train: [...tiny, "--no-baseline"],
  // the less memory there is, the shorter the search for the largest batch
  plan: [...tiny, "--budget", "0.001"],
  summary: tiny.slice(2),
  eval: ["--device", "cpu"],
  export: ["--force"],
  import: ["--force"],
  report: ["--force"],
  plot: ["--force"],
  compare: "--device cpu --samples 12 --force".split(" "),
  "compare --estimator minibatch": "--batch 6".split(" "),
};

/** Lines of other programs. */
const others: readonly (readonly [line: RegExp, accept: (words: readonly string[], line: string) => unknown])[] = [
  [
    /^npx -y pnpm@/,
    (words) =>
      expect([words[2], ["install", ...Object.keys(scripts)]]).toEqual([
        packageManager,
        expect.arrayContaining([words[3]]),
      ]),
  ],
  [/^pnpm /, (words) => expect(["install", ...Object.keys(scripts)]).toContain(words[1])],
  [/^jq /, runJq],
];

let folder: string;
const home = process.cwd();
beforeAll(async () => {
  folder = mkdtempSync(join(root, "test/.docs-shell-"));
  process.chdir(folder);
  for (const { language, note, text } of pages.flatMap((page) => blocksOf(page))) {
    if (language !== "sh" && /^[\w-]+\.\w+$/.test(note)) writeFileSync(note, text);
  }
  silence();
  await execute(["train", "--folder", RUN, ...tiny]);
  for (const other of ["runs/first", "runs/second"]) cpSync(RUN, other, { recursive: true });
  vi.restoreAllMocks();
});
afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(silence);
afterEach(() => vi.restoreAllMocks());

/** What a command wrote to standard output and to standard error. */
const printed = { stdout: "", stderr: "" };
function silence(): void {
  for (const stream of ["stdout", "stderr"] as const) {
    printed[stream] = "";
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      printed[stream] += text;
      return true;
    });
  }
  vi.spyOn(console, "log").mockImplementation((text) => {
    printed.stdout += `${text}\n`;
  });
}

/** Runs a command line in this process; help is a result too. */
async function execute(args: readonly string[], program = buildProgram()): Promise<void> {
  await program.parseAsync(args, { from: "user" }).catch((error) => {
    if (error.code !== "commander.helpDisplayed")
      throw new Error(`${args.join(" ")}: ${printed.stderr}${error.message}`);
  });
}

/** Only takes the arguments apart; throws for an option, a choice or an argument that there is none of. */
async function parse(args: readonly string[]): Promise<void> {
  const program = buildProgram();
  for (const command of program.commands) command.action(() => {});
  await execute(args, program);
}

/** Runs a recipe of jq, on a file of the run or on what a command printed, and expects it to give something but null. */
async function runJq(_words: readonly string[], line: string, input?: string): Promise<void> {
  if (jq === undefined) return; // the end of the run says so
  if (input !== undefined) writeFileSync("input.json", input);
  const output = await mustRun("bash", ["-c", input === undefined ? line : `${line} <input.json`], { cwd: folder });
  expect(output).toMatch(/\S/);
  expect(output).not.toMatch(/\bnull\b/);
}

const lines = shellLines().map((line) => ({ ...line, commands: commandsOf(line.text) }));

test("the table of what is not run has no line too many", () => {
  const args = lines.flatMap(({ commands }) => commands.map((words) => guidanceArgs(words)?.join(" ") ?? ""));
  for (const [pattern] of onlyParsed)
    expect(
      args.some((line) => pattern.test(line)),
      String(pattern),
    ).toBe(true);
});

describe.each(lines.map((line) => [line.place, line.text, line.commands] as const))(
  "%s %s",
  (_place, text, commands) => {
    const args = guidanceArgs(commands[0]);
    if (args === undefined) {
      test("is of a program that is known", async () => {
        const accept = others.find(([pattern]) => pattern.test(text));
        if (accept === undefined) throw new Error(`nothing is known of "${wordsOf(text)[0]}"`);
        await accept[1](commands[0], text);
      });
      return;
    }

    test("is accepted", () => parse(args));

    const reason = onlyParsed.find(([pattern]) => pattern.test(args.join(" ")))?.[1];
    if (reason !== undefined) {
      test.skip(`is not run: it ${reason}`, () => {});
      return;
    }
    test("runs", async () => {
      const [command, ...rest] = args;
      const all = [
        command,
        ...rest,
        ...(rest.includes("--help") ? [] : (small[command] ?? [])),
        ...(rest.includes("minibatch") ? small["compare --estimator minibatch"] : []),
      ];
      // a new run's folder must not be there yet
      if (rest.includes("--folder")) rmSync(rest[rest.indexOf("--folder") + 1], { recursive: true, force: true });
      if (rest.includes("--plugin")) {
        // a plugin is imported by Node, which a test runner's own modules are not
        const { status, output } = await guidance(all, { cwd: folder });
        expect(status, output).toBe(0);
        return;
      }
      await execute(all);
      expect(printed.stdout).not.toBe("");
      const [, next] = commands;
      if (next?.[0] === "jq") await runJq(next, text.slice(text.indexOf("jq ")), printed.stdout);
    });
  },
);
