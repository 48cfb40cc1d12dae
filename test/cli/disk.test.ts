// A disk that is full or read-only, and data that vanish, in the middle of a run: one clear line on stderr, a status that
// is not 0, a last checkpoint that stands, and a resumed run that ends with the bits of one that met none of it.

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "@guidance/guidance";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { guidance, outcome, scratch, start, tiny } from "./command.ts";

const fresh = scratch();
const cwd = fresh();

/** A checkpoint of 12 kB every third step. */
const train = ["train", ...tiny, "--steps", "15", "--validate-every", "3", "--guide-steps", "0", "--no-baseline"];
const resume = (run: string) => ["train", "--resume", run, "--device", "cpu"];

interface Failing {
  readonly code: "ENOSPC" | "EROFS";
  /** Regular expression of paths. */
  readonly files: string;
  /** How many bytes they take before that. */
  readonly bytes: number;
}

const preload = `--import ${new URL("failing-disk.mjs", import.meta.url)}`;
const environment = (failing: Failing) => ({ NODE_OPTIONS: preload, FAILING_DISK: JSON.stringify(failing) });

/** The one line that a command is refused with. */
async function refusal(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { status, stderr } = await guidance(args, { cwd, env });
  expect(stderr).toMatch(/^error: [^\n]*\n$/);
  expect(status).toBe(1);
  return stderr;
}

/** The step of the last checkpoint, whose bytes are those that were written. */
async function savedStep(run: string): Promise<unknown> {
  const checkpoint = await openCheckpoint(join(run, "guided"), "last");
  await checkpoint.close();
  return checkpoint.state.step;
}

async function finish(run: string): Promise<void> {
  const { status, output } = await guidance(resume(run), { cwd });
  expect(status, output).toBe(0);
  expect(readdirSync(join(run, "guided")).filter((name) => name.endsWith(".partial"))).toEqual([]);
}

describe.concurrent("a run", () => {
  const whole = join(cwd, "whole");
  let complete: Promise<unknown>;
  beforeAll(() => {
    complete = guidance([...train, "--folder", whole], { cwd }).then(({ status, output }) =>
      expect(status, output).toBe(0),
    );
  });
  afterAll(() => complete);

  test("meets a full disk twice and a read-only one, and ends as if there had been none", async () => {
    const run = join(cwd, "failing");
    await complete;
    // all records until the checkpoint of step 3, and a part of the next, whose times have more digits or less
    const [before] = /^.*?"kind":"validation"[^\n]*\n/s.exec(
      readFileSync(join(whole, "guided", "metrics.jsonl"), "utf8"),
    )!;
    const metrics = { code: "ENOSPC", files: "guided/metrics\\.jsonl$", bytes: before.length + 150 } as const;
    expect(await refusal([...train, "--folder", run], environment(metrics))).toMatch(
      /^error: run: cannot write ".*metrics\.jsonl" \(no space left on the disk\)\. Make room .* --resume\./,
    );
    expect(await savedStep(run)).toBe(3);

    // the tensors of one checkpoint and a part of the next
    const tensors = { code: "ENOSPC", files: "guided/.*safetensors.*partial$", bytes: 20_000 } as const;
    expect(await refusal(resume(run), environment(tensors))).toMatch(
      /^error: training guided, step 9: cannot save in ".*guided" \(no space left on the disk\); the checkpoint of step 6 in ".*guided" stands\. Make room /,
    );
    expect(await savedStep(run)).toBe(6);

    const folder = { code: "EROFS", files: "guided/.*partial$", bytes: 20_000 } as const;
    expect(await refusal(resume(run), environment(folder))).toMatch(
      /^error: training guided, step 12: .*\(the file system is read-only\)/,
    );
    expect(await savedStep(run)).toBe(9);

    await finish(run);
    await complete;
    expect(outcome(run)).toEqual(outcome(whole));
  });

  const mounted = join(cwd, "mounted");
  const mount = (...args: string[]) => execFileSync("mount", [...args, mounted], { stdio: "ignore" });
  /** Whether there is a file system of 14 pages, for which one must be root: room for one checkpoint, not for a second. */
  const isMounted = (() => {
    mkdirSync(mounted);
    try {
      mount("-t", "tmpfs", "-o", "size=56k", "none");
      return true;
    } catch {
      return false;
    }
  })();
  afterAll(() => void (isMounted && execFileSync("umount", [mounted])));

  test.skipIf(!isMounted)("meets both on a real file system", async () => {
    const run = join(mounted, "run");
    const line = await refusal([...train, "--folder", run]);
    expect(line).toMatch(
      /^error: training guided, step \d+: .*\(no space left on the disk\); the checkpoint of step \d+ in ".*" stands\. /,
    );
    expect(line).toContain(`the checkpoint of step ${await savedStep(run)} in`);
    mount("-o", "remount,ro,size=1m");
    expect(await refusal(resume(run))).toMatch(
      /^error: run: cannot write ".*run\.lock" \(the file system is read-only\)/,
    );
    mount("-o", "remount,rw");
    await finish(run);
    await complete;
    expect(outcome(run)).toEqual(outcome(whole));
  });
});

test("data that vanish are named, and a run goes on when they are back", async () => {
  const images = fileURLToPath(new URL("../fixtures/images/", import.meta.url));
  const data = join(cwd, "data");
  for (const split of ["train", "val"]) {
    for (const name of ["apple", "pear", "quince"]) {
      const folder = join(data, split, name);
      mkdirSync(folder, { recursive: true });
      for (const file of ["grey", "colour", "turned", "unsampled"]) {
        writeFileSync(join(folder, `${file}.jpg`), readFileSync(join(images, `${file}.jpg`)));
      }
    }
  }
  const network = "--layers 4 --first-width 6 --width 6 --guide-width 2 --guide-steps 0 --no-baseline";
  const steps = "--image-size 16 --workers 1 --batch 4 --steps 30 --validate-every 3 --device cpu";
  const args = ["train", "--data", data, ...`${network} ${steps}`.split(" ")];
  const running = start([...args, "--folder", "vanished"], cwd);
  await running.printed("guided: validation after step 3");
  renameSync(data, `${data}-gone`);
  const { status, output } = await running.ended;
  renameSync(`${data}-gone`, data);
  expect(output.match(/^error: .*$/gm), output).toEqual([
    expect.stringMatching(
      /^error: image ".*\.jpg": it cannot be read \(no such file or folder\)\. Leave the folder as it is while it is used/,
    ),
  ]);
  expect(output).toMatch(/\nerror: [^\n]*\n$/);
  expect(status).toBe(1);
  const run = join(cwd, "vanished");
  expect(Number(await savedStep(run)) % 3).toBe(0);
  const [whole] = await Promise.all([guidance([...args, "--folder", "undisturbed"], { cwd }), finish(run)]);
  expect(whole.status, whole.output).toBe(0);
  expect(outcome(run)).toEqual(outcome(join(cwd, "undisturbed")));
});
