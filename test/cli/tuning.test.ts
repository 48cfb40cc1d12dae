// `guidance tune` and `profile`, and that a run keeps the kernels it began with.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seal } from "@guidance/guidance";
import { openDevice } from "@guidance/shaders";
import { describe, expect, test } from "vitest";
import { openTier } from "../support/tiers.ts";
import { guidance, runFolder, scratch, start, tiny } from "./command.ts";

const opened = await openTier("webgpu", openDevice, ({ description }) => description);
const name = opened && `webgpu ${opened.description}`;
opened?.close();

const FORMAT = { name: "tuning", version: 2, hint: "" };

const fresh = scratch();
const network = tiny.slice(2);

/** The file of the one device that was tuned. */
const tuningFile = () => {
  const folder = join(process.env.GUIDANCE_CACHE as string, "tuning");
  const files = readdirSync(folder);
  expect(files).toHaveLength(1);
  return join(folder, files[0]);
};

function writeChoices(choices: Readonly<Record<string, string>>): void {
  const file = tuningFile();
  const { guidance: _seal, ...stored } = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, seal(FORMAT, { ...stored, choices }));
}

/** The last checkpoint's tensors. */
function weights(cwd: string, folder: string): Buffer {
  const arm = join(cwd, folder, "guided");
  const file = readdirSync(arm).find((each) => /^last-.*\.safetensors$/.test(each));
  return readFileSync(join(arm, file as string));
}

describe.skipIf(!name)("on WebGPU", () => {
  test("profile names kernels and layers, and writes a trace", async () => {
    const cwd = fresh();
    const { status, stdout, output } = await guidance(["profile", ...network], { cwd });
    expect(status, output).toBe(0);
    expect(stdout).toMatch(/^kind +kernels +time +share +GFLOP\/s +GB\/s$/m);
    expect(stdout).toMatch(/^student\.\S+ +\d+ +[\d.]+ ms +[\d.]+ % +[\d.]+ +[\d.]+$/m);
    const { traceEvents } = JSON.parse(readFileSync(join(cwd, "profile-trace.json"), "utf8"));
    const kernels = traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
    expect(stdout).toContain(`\n${kernels.length} kernels, `);
    for (const { dur, args } of kernels) {
      expect(dur).toBeGreaterThan(0);
      expect(args).toHaveProperty("layer");
    }
  });

  test("with a batch in parts, profile and tune look at a part and at the update", async () => {
    const cwd = fresh();
    // parts of as many images as a batch of the other tests, whose kernels they share
    const parts = [...network, "--batch", "32", "--accumulate", "2", "--step", "unguided"];
    const { status, stdout, output } = await guidance(["profile", ...parts], { cwd });
    expect(status, output).toBe(0);
    const [first, update] = stdout.split("\nthe update:\n");
    expect(first).toMatch(/^a part of the batch, of which there are 2:\nit takes [\d.]+ ms$/m);
    expect(first).toMatch(/^matmul /m);
    expect(update).toMatch(/^it takes [\d.]+ ms\n\d+ kernels, /);
    expect(update).toMatch(/^map /m);
    expect(update).not.toMatch(/^matmul /m);
    expect(update).toMatch(/^a step takes [\d.]+ ms: 2 x [\d.]+ ms \+ 1 x [\d.]+ ms$/m);
    const { traceEvents } = JSON.parse(readFileSync(join(cwd, "profile-trace.json"), "utf8"));
    const kernels: { ph: string; pid: number; ts: number }[] = traceEvents.filter(
      ({ ph }: { ph: string }) => ph === "X",
    );
    const of = (pid: number) => kernels.filter((kernel) => kernel.pid === pid).map(({ ts }) => ts);
    expect(Math.min(...of(1))).toBeGreaterThan(Math.max(...of(0)));

    const tuned = await guidance(["tune", ...parts], { cwd });
    expect(tuned.status, tuned.output).toBe(0);
    expect(tuned.stdout).toMatch(/^a part of the batch, of which there are 2:\nmatmul 1x16x6x64 NT \(1 x\): /m);
    expect(tuned.stdout).toContain("\nthe update:\n");
  });

  test("tune measures every size of a step and keeps what it found", async () => {
    const cwd = fresh();
    const { status, stdout, output } = await guidance(["tune", ...network, "--step", "unguided"], { cwd });
    expect(status, output).toBe(0);
    expect(stdout).toMatch(/^matmul 1x16x6x64 NT \(1 x\): now \d+ us; .*direct \d+: (stays|takes \S+)$/m);
    expect(stdout).toMatch(
      /^\d+ sizes measured in .* s; what is fastest saves -?[\d.]+ ms a step, and is in .*\.json$/m,
    );
    expect(JSON.parse(readFileSync(tuningFile(), "utf8"))).toMatchObject({ choices: {}, guidance: { version: 2 } });
  });

  test("a run goes on with the kernels it began with, to the same bits, whatever was tuned since", async () => {
    const choices = { "matmul 1x16x6x6 NT": "direct", "matmul 1x16x6x6 NN": "direct" };
    writeChoices(choices);
    const cwd = fresh();
    const args = ["train", ...network, "--no-baseline", "--guide-steps", "0", "--validate-every", "never"];
    const long = [...args.filter((arg, i) => arg !== "--steps" && args[i - 1] !== "--steps"), "--epochs", "60"];
    const whole = await guidance(long, { cwd });
    expect(whole.status, whole.output).toBe(0);
    const adapter = /^adapter (.*, tuned [0-9a-f]{8})$/m.exec(whole.stdout)?.[1];
    expect(adapter).toContain(`${name}, tuned `);
    const { choices: stored } = JSON.parse(
      readFileSync(join(cwd, runFolder(whole.stdout), "environment.json"), "utf8"),
    );
    expect(stored).toEqual(choices);

    const running = start(long, cwd);
    await running.printed("guided: validation after step 3");
    running.kill("SIGINT");
    const { output } = await running.ended;
    writeChoices({ "matmul 1x16x6x6 NT": "tiled" });
    const resumed = await guidance(["train", "--resume", runFolder(output)], { cwd });
    expect(resumed.status, resumed.output).toBe(0);
    expect(resumed.stdout).toContain(`adapter ${adapter}\n`);
    expect(weights(cwd, runFolder(output)).equals(weights(cwd, runFolder(whole.stdout)))).toBe(true);
  });

  test("tuning of another version or none that can be read is left aside, in one line", async () => {
    const file = tuningFile();
    for (const [text, reason] of [
      ["{", "JSON"],
      [JSON.stringify({ version: 1, choices: {} }), "has no version and checksum"],
      [seal({ ...FORMAT, version: 99 }, { choices: {} }), "has version 99"],
      [seal(FORMAT, { choices: { key: 3 } }), "its choices are no table of names"],
    ]) {
      writeFileSync(file, text);
      const { status, stdout, stderr } = await guidance(["doctor"]);
      expect(status).toBe(0);
      expect(stdout).toContain(`backend     ${name}\n`);
      expect(stderr).toMatch(/^note: the tuning in ".*\.json" is not used \(.*\); run guidance tune again$/m);
      expect(stderr).toContain(reason);
    }
  });
});

test("neither has anything to do on the CPU backend", async () => {
  for (const command of ["tune", "profile"]) {
    const { status, stderr } = await guidance([command, ...tiny]);
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`^error: ${command}: .* Expected a WebGPU device\\. `));
  }
});
