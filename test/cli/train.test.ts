// `guidance train` and `eval` from end to end: twice, resumed, with a plugin, and stopped by signals.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { guidance, outcome, runFolder, scratch, start, tiny } from "./command.ts";

const fresh = scratch();

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));

test("a run ends with a table and leaves everything behind; a second one reuses the guide", async () => {
  const cwd = fresh();
  const first = await guidance(["train", ...tiny, "--name", "one"], { cwd });
  expect(first.output).toContain("adapter cpu float32\nhint: ");
  expect(first.stderr).toBe("");
  expect(first.status).toBe(0);
  const folder = runFolder(first.stdout);
  expect(folder).toMatch(/^runs\/\d{8}-\d{6}-one$/);
  for (const line of [
    /^guide: trained now, kept in "runs\/guides\/[\da-f]{16}\.safetensors"$/m,
    /^planned guide's own step: \d+ kernels, [\d.]+ GFLOP, peak memory [\d.]+ kB$/m,
    /^planned guided step: \d+ kernels, [\d.]+ GFLOP, peak memory [\d.]+ kB$/m,
    /^planned unguided step: /m,
    /^memory: at most [\d.]+ kB at a time, of a budget of [\d.]+ GB$/m,
    /^guided +4\/4 +loss [\d.]+ +CE [\d.]+ +similarity [\d.]+ +[\d.]+ s\/step +data [\d.]+ s +ETA 0\.00 s$/m,
    /^guided: validation after step 4: loss [\d.]+, top-1 [\d.]+ %, top-5 [\d.]+ %/m,
    /^student with guide, last weights \(step 4\) +[\d.]+ % +[\d.]+ % +[\d.]+ +[\d.]+ s$/m,
    /^student with guide, best validation \(step \d\) /m,
    /^the same student without guide, last weights \(step 4\) /m,
    /^the guide itself \(trained in this run\) /m,
    /^adapter cpu float32, [\d.]+ s in all$/m,
    /same initial weights, batches and learning rate \(0\.001\)/,
    /The guide has itself seen labels \(2 steps of training\)/,
  ]) {
    expect(first.stdout).toMatch(line);
  }
  const run = join(cwd, folder);
  expect(readdirSync(run).sort()).toEqual(
    [
      "config.json",
      "data.json",
      "environment.json",
      "guide",
      "guide.json",
      "guided",
      "summary.json",
      "unguided",
    ].sort(),
  );
  expect(json(run, "config.json")).toMatchObject({ steps: 4, dataset: "synthetic", student: { layers: 4 } });
  expect(json(run, "environment.json").starts[0]).toMatchObject({ adapter: "cpu float32", node: process.version });
  expect(json(run, "summary.json").arms.map(({ arm }: { arm: string }) => arm)).toEqual(["guided", "unguided"]);

  const second = await guidance(["train", ...tiny, "--name", "two", "--no-baseline"], { cwd });
  expect(second.stdout).toContain('guide: trained before, from "runs/guides/');
  expect(second.stdout).toContain("the guide itself (trained before)");
  expect(second.stdout).not.toContain("without guide");
  const again = join(cwd, runFolder(second.stdout));
  expect(json(again, "summary.json").arms[0].test).toEqual(json(run, "summary.json").arms[0].test);

  const scored = await guidance(["eval", folder, "--device", "cpu", "--arm", "unguided", "--checkpoint", "best"], {
    cwd,
  });
  expect(scored.status).toBe(0);
  expect(scored.stdout).toMatch(/^unguided, best \(step \d\), synthetic test +loss +top-1 +top-5\n12 images +[\d.]+ /m);
});

describe.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s", (signal, status) => {
  test(`saves, exits with ${status}, and the run goes on from there`, async () => {
    const cwd = fresh();
    const args = ["train", ...tiny, "--no-baseline", "--validate-every", "never", "--epochs", "60"];
    const running = start(
      args.filter((arg, i) => arg !== "--steps" && args[i - 1] !== "--steps"),
      cwd,
    );
    await running.printed("guided: validation after step 3");
    running.kill(signal);
    const { status: ended, output } = await running.ended;
    expect(output).toContain("stopping after this step and saving; once more ends at once\n");
    expect(output).toMatch(
      /error: training guided: stopped after step \d+ of 180, saved in ".*guided"\. Go on with: guidance train --resume runs\//,
    );
    expect(ended).toBe(status);
    const folder = runFolder(output);
    const { step } = json(cwd, folder, "guided", "last.json").state;
    expect(output).toContain(`stopped after step ${step} of 180`);

    const resumed = await guidance(["train", "--resume", folder, "--device", "cpu"], { cwd });
    expect(resumed.stdout).toMatch(new RegExp(`^guided +${step + 1}/180 `, "m"));
    expect(resumed.stdout).toContain('guide: trained before, from "runs/guides/');
    expect(resumed.status).toBe(0);
    const lines = readFileSync(join(cwd, folder, "guided", "metrics.jsonl"), "utf8")
      .trim()
      .split("\n");
    const steps = lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === "step");
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 180 }, (_, i) => i + 1));

    const complete = await guidance(["train", "--resume", folder, "--device", "cpu"], { cwd });
    expect([complete.status, complete.stderr]).toEqual([1, expect.stringContaining("is complete")]);
  });
});

test("one process at a time trains in a folder, and one that was killed is not waited for", async () => {
  const cwd = fresh();
  const options = ["--guide-steps", "0", "--no-baseline", "--steps", "100000", "--folder", "run"];
  const first = start(["train", ...tiny, ...options], cwd);
  await first.printed("guided: validation after step 3");
  const second = await guidance(["train", "--resume", "run", "--device", "cpu"], { cwd });
  expect(second.stderr).toMatch(/^error: run: process \d+ on [^\n]+ is training in "run"\. [^\n]*\n$/);
  expect(second.status).toBe(1);
  first.kill("SIGKILL");
  await first.ended;
  const third = start(["train", "--resume", "run", "--device", "cpu"], cwd);
  await third.printed("\nguided ");
  expect(existsSync(join(cwd, "run", "run.lock"))).toBe(true);
  third.kill("SIGTERM");
  expect((await third.ended).status).toBe(143);
  expect(readdirSync(join(cwd, "run")).filter((name) => name.startsWith("run.lock"))).toEqual([]);
});

test("where the last checkpoint is damaged, a run goes on from another and ends with the same bits", async () => {
  const cwd = fresh();
  const options = ["--no-baseline", "--validate-every", "1", "--keep-top", "4", "--folder", "run"];
  expect((await guidance(["train", ...tiny, ...options], { cwd })).status).toBe(0);
  const run = join(cwd, "run");
  const whole = outcome(run);
  rmSync(join(run, "summary.json"));
  const damaged = join(run, "guided", json(run, "guided", "last.json").tensors.file);
  // the checkpoints of one step are one file
  rmSync(damaged);
  writeFileSync(damaged, "");
  const resume = ["train", "--resume", "run", "--device", "cpu"];
  const refused = await guidance(resume, { cwd });
  expect(refused.stderr).toMatch(
    /^error: checkpoint: ".*last-.*" has 0 bytes\. .*Go on from another with --checkpoint best, or remove "run\/guided\/last\.json" to train/,
  );
  const { status, output } = await guidance([...resume, "--checkpoint", "top-2"], { cwd });
  expect(status, output).toBe(0);
  expect(output).toContain('note: "last" of "run/guided" is damaged: the run goes on from "top-2", step 2\n');
  expect(outcome(run)).toEqual(whole);
  rmSync(join(run, "summary.json"));
  const sound = await guidance([...resume, "--checkpoint", "best"], { cwd });
  expect(sound.output).toContain('note: checkpoint "last" of "run/guided" is sound: the run goes on from it\n');
});

test("a second Ctrl-C ends at once", async () => {
  // the validation before the first step takes seconds
  const slow = ["--validate-first", "--synthetic-validation", "200000", "--guide-steps", "0"];
  const running = start(["train", ...tiny, ...slow], fresh());
  await running.printed("guide: random weights");
  running.kill("SIGINT");
  await running.printed("once more ends at once");
  await new Promise((resolve) => setTimeout(resolve, 400));
  running.kill("SIGINT");
  const { status, output } = await running.ended;
  expect(status).toBe(130);
  expect(output).not.toContain("validation after");
});

const plugin = `
import { similarities, students } from "@guidance/guidance";
import { nn, type Operand, type Tensor } from "@guidance/tensor";

class Mine extends nn.Module {
  readonly first: nn.Linear;
  readonly second: nn.Linear;
  readonly third: nn.Linear;
  constructor(inputs: number, classes: number, misfit = 0) {
    super();
    this.first = new nn.Linear(inputs, 8);
    this.second = new nn.Linear(8 + misfit, 8);
    this.third = new nn.Linear(8, classes);
  }
  forward(x: Operand): Tensor {
    const inner = this.first.call(x.flatten()).relu();
    return this.third.call(this.second.call(inner).relu());
  }
}
students.register("mine", ({ channels, height, width, classes }) => new Mine(channels * height * width, classes));
students.register("broken", ({ channels, height, width, classes }) => new Mine(channels * height * width, classes, 1));
similarities.register("means", (x, y) => x.mean().sub(y.mean()).abs().neg().exp());
`;

test("a trained guide is another one when the plugin changes", async () => {
  const cwd = fresh();
  const own = ["train", ...tiny, "--plugin", "./mine.ts", "--no-baseline"];
  const guides = [];
  for (const text of [plugin, plugin, `${plugin}\n// another`]) {
    writeFileSync(join(cwd, "mine.ts"), text);
    const { stdout, output } = await guidance(own, { cwd });
    guides.push(/^guide: trained (now|before).*guides\/([\da-f]{16})/m.exec(stdout)?.slice(1) ?? output);
  }
  expect(guides.map(([when]) => when)).toEqual(["now", "before", "now"]);
  expect(new Set(guides.map(([, key]) => key)).size).toBe(2);
});

test("a plugin's student and similarity are trained, scored, and named where they do not fit", async () => {
  const cwd = fresh();
  writeFileSync(join(cwd, "mine.ts"), plugin);
  const own = ["train", ...tiny, "--plugin", "./mine.ts", "--similarity", "means"];
  const trained = await guidance([...own, "--student", "mine", "--no-baseline"], { cwd });
  expect(trained.stderr).toBe("");
  const scored = await guidance(["eval", runFolder(trained.stdout), "--device", "cpu"], { cwd });
  expect(scored.stdout).toContain("12 images");

  const broken = await guidance([...own, "--student", "broken"], { cwd });
  expect(broken.status).toBe(1);
  expect(broken.stderr).toMatch(
    /^error: linear in "student\.second": x is \[16, 8\], weight is \[8, 9\]\. .* at .*mine\.ts:17:\d+\n$/,
  );
});

test("for machines, standard output is JSON lines alone: each event, and the result last", async () => {
  const cwd = fresh();
  const args = ["--json", "--inspect-every", "2", "--guide-steps", "0", "--no-baseline"];
  const { stdout, stderr, status } = await guidance(["train", ...tiny, ...args], { cwd });
  expect(status).toBe(0);
  expect(stderr).toContain("adapter cpu float32\n");
  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const kinds = (kind: string) => lines.filter((line) => line.kind === kind).map(({ step }) => step);
  expect(kinds("step")).toEqual([1, 2, 3, 4]);
  expect(kinds("validation")).toEqual([3, 4]);
  expect(kinds("inspection")).toEqual([1, 2, 4]);
  expect(lines.at(-1)).toMatchObject({ kind: "result", arms: [{ arm: "guided", steps: 4 }] });
  const quiet = await guidance(["eval", lines.at(-1).folder, "--quiet", "--device", "cpu"], { cwd });
  expect(quiet.stdout.trimEnd().split("\n")).toEqual([
    expect.stringMatching(/loss +top-1 +top-5$/),
    expect.any(String),
  ]);
  expect(quiet.stderr).toBe("");
});
