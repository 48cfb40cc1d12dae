// Bad input gets one clear line on stderr, a status that is not 0, and loses nothing.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seal } from "@guidance/guidance";
import { beforeAll, describe, expect, test } from "vitest";
import { guidance, runFolder, scratch, tiny } from "./command.ts";

const fresh = scratch();
const cwd = fresh();

/** Runs a command that must fail with one line; drivers may print warnings of their own before it. */
async function refusal(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { status, stderr } = await guidance(args, { cwd, env });
  const own = stderr.slice(Math.max(0, stderr.indexOf("error: No WebGPU adapter")));
  expect(own).toMatch(/^error: [^\n]*\n$/);
  expect(status).toBe(1);
  return own;
}

const train = (...args: string[]) => refusal(["train", ...tiny, ...args]);

// packages/cli/src/program.test.ts has the others; these show what a process prints and returns
describe.concurrent("options", () => {
  test.each([
    [["--laers", "4"], "unknown option '--laers' (Did you mean --layers?)"],
    [["--device", "gpuu"], 'Expected one of auto, gpu, lavapipe, swiftshader, cpu. Did you mean "gpu"?'],
    [["--layers", "1"], "option --layers: it is 1. Expected a whole number from 2 to 1000."],
    [["--student", "deep-fnc"], 'Perhaps you meant "deep-fcn"'],
  ])("%s", async (args, message) => {
    expect(await train(...args)).toMatch(message);
  });

  test("the environment", async () => {
    const withoutDevice = tiny.slice(2);
    const line = await refusal(["train", ...withoutDevice], { GUIDANCE_DEVICE: "cup" });
    expect(line).toContain('GUIDANCE_DEVICE: it is "cup". Expected one of auto');
  });
  test("--debug shows the stack", async () => {
    const { stderr } = await guidance(["train", ...tiny, "--dataset", "mnits", "--debug"], { cwd });
    expect(stderr).toMatch(/no data set "mnits".*\n +at .*registry\.ts/);
  });
});

describe.concurrent("data", () => {
  const images = "train-images-idx3-ubyte";
  const labels = "train-labels-idx1-ubyte";
  const idx = (magic: number, sizes: number[], length: number) => {
    const bytes = Buffer.alloc(4 + 4 * sizes.length + length);
    [magic, ...sizes].forEach((value, i) => {
      bytes.writeUInt32BE(value, 4 * i);
    });
    return bytes;
  };
  const whole: Record<string, Buffer> = {
    [images]: idx(0x803, [10, 8, 8], 640),
    [labels]: idx(0x801, [10], 10),
    "t10k-images-idx3-ubyte": idx(0x803, [10, 8, 8], 640),
    "t10k-labels-idx1-ubyte": idx(0x801, [10], 10),
  };
  const wrongLabel = Buffer.from(whole[labels]);
  wrongLabel[8 + 3] = 10;

  test.each<[string, Record<string, Buffer | undefined>, RegExp]>([
    ["missing", { [labels]: undefined }, /has no readable file "train-labels-idx1-ubyte"/],
    ["truncated", { [images]: whole[images].subarray(0, 600) }, /is truncated: it has 600 bytes\. Expected 656 bytes/],
    ["exchanged", { [images]: whole[labels] }, /begins with the magic number 2049\. Expected 2051/],
    ["mislabelled", { [labels]: wrongLabel }, /label 3 of ".*" is 10\. Expected 0 to 9/],
    ["few", {}, /it has 10 training images, the last 5000 of which would validate/],
  ])("%s", async (name, change, message) => {
    const folder = join(cwd, `data-${name}`);
    mkdirSync(folder);
    for (const [file, bytes] of Object.entries({ ...whole, ...change })) {
      if (bytes) writeFileSync(join(folder, file), bytes);
    }
    expect(await refusal(["train", "--device", "cpu", "--data-folder", folder])).toMatch(message);
  });

  test("a batch larger than the data set", async () => {
    expect(await train("--batch", "49")).toContain('it has 49 images and "synthetic train" has 48');
  });

  test("nothing was written for any of them", () => {
    expect(existsSync(join(cwd, "runs"))).toBe(false);
  });
});

describe.concurrent("devices", () => {
  const nowhere = { VK_DRIVER_FILES: "/nonexistent.json", VK_ICD_FILENAMES: "/nonexistent.json" };

  test.skipIf(process.platform !== "linux")("no adapter", async () => {
    const line = await refusal(["train", ...tiny.slice(2), "--device", "lavapipe"], nowhere);
    expect(line).toMatch(/No WebGPU adapter for device "lavapipe".*Install it: /);
  });

  test("a plan above the memory budget", async () => {
    const out = join(cwd, "budget");
    const { status, stdout, stderr } = await guidance(["train", ...tiny, "--out", out, "--budget", "0.00001"], { cwd });
    expect(stderr).toMatch(
      /^error: memory: the training of the guide needs [\d.]+ kB and the budget of cpu float32 is 10\.0 kB\. [^\n]*\n$/,
    );
    expect(status).toBe(1);
    // every plan was shown, nothing was trained, and no folder made
    expect(stdout).toMatch(/^memory: at most [\d.]+ kB at a time, of a budget of 10\.0 kB$/m);
    expect(existsSync(out)).toBe(false);
  });
});

/** The file with the tensors of a checkpoint. */
function tensorsOf(folder: string, arm: string): string {
  const { tensors } = JSON.parse(readFileSync(join(folder, arm, "last.json"), "utf8"));
  return join(folder, arm, tensors.file);
}

describe("runs", () => {
  let folder: string;
  let before: Buffer;
  beforeAll(async () => {
    const { stdout } = await guidance(["train", ...tiny, "--out", join(cwd, "kept")], { cwd });
    folder = runFolder(stdout);
    before = readFileSync(tensorsOf(folder, "guided"));
  });
  const evaluate = (...args: string[]) => refusal(["eval", ...args, "--device", "cpu"]);

  describe.concurrent("are not overwritten", () => {
    test("a folder that exists", async () => {
      expect(await train("--folder", folder)).toMatch(/exists already\. .*Continue the run in it with --resume/);
      expect(readFileSync(tensorsOf(folder, "guided")).equals(before)).toBe(true);
    });
    test("no folder", async () => {
      expect(await evaluate("absent")).toContain('there is no folder "absent"');
    });
    test("a folder of something else", async () => {
      expect(await evaluate(".")).toMatch(
        /"\." is no run of guidance train: it has no config\.json\. Expected the folder of an earlier run/,
      );
    });
  });

  test("a checkpoint that does not fit the model", async () => {
    const path = join(folder, "config.json");
    const config = readFileSync(path, "utf8");
    const { guidance: _seal, student, ...rest } = JSON.parse(config);
    const other = { ...rest, student: { ...student, layers: 5, firstWidth: 7 } };
    writeFileSync(path, JSON.stringify(other));
    expect(await evaluate(folder)).toContain('config.json" has no version and checksum');
    writeFileSync(path, seal({ name: "configuration of a run", version: 1, hint: "" }, other));
    const line = await evaluate(folder);
    expect(line).toMatch(
      /missing: intermediate_layers\.2\.0\.weight, .* and \d+ more; different: initial_layer\.0\.weight is/,
    );
    writeFileSync(path, config);
  });

  test("a damaged checkpoint", async () => {
    const path = tensorsOf(folder, "unguided");
    writeFileSync(path, readFileSync(path).subarray(0, -4));
    expect(await evaluate(folder, "--arm", "unguided")).toMatch(/has \d+ bytes\. Expected \d+ bytes/);
    expect(readdirSync(folder)).toContain("summary.json");
  });

  test("a loss that is not finite", async () => {
    const out = join(cwd, "nan");
    const line = await train("--out", out, "--lr", "1e30", "--validate-every", "1");
    expect(line).toMatch(
      /training guided, step 2: the loss is NaN; the first layer .* is "student\..*the checkpoint of step 1 in/,
    );
    const run = readdirSync(out).find((name) => name.endsWith("synthetic"))!;
    expect(readdirSync(join(out, run, "guided"))).toEqual(expect.arrayContaining(["last.json", "metrics.jsonl"]));
  });
});
