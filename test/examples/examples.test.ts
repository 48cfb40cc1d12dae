// Every example of Node's runs: plugins through the command, on a training of a few steps, and the quickstart as it is.
// The commands are those of their READMEs.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openDevice } from "@guidance/shaders";
import { describe, expect, test } from "vitest";
import { guidance, runFolder, scratch, tiny } from "../cli/command.ts";
import { mustRun, root } from "../support/command.ts";
import { openTier } from "../support/tiers.ts";

const device = await openTier("webgpu", openDevice, ({ description }) => description);
device?.close();

const fresh = scratch();
const examples = join(root, "examples");
const readme = (name: string) => readFileSync(join(examples, name, "README.md"), "utf8");
const plugin = (path: string) => join(examples, path);

test("each example says how it is run", () => {
  const folders = readdirSync(examples, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && !["node_modules", "dist"].includes(entry.name),
  );
  expect(folders.map(({ name }) => name)).toEqual([
    "browser",
    "custom-similarity",
    "custom-student",
    "tensor-quickstart",
  ]);
  for (const { name } of folders) expect(readme(name)).toMatch(/^npx -y pnpm@12\.21\.0 (guidance|example) /m);
});

describe.concurrent("plugins", () => {
  test("a student trains, is saved and scored", async () => {
    const cwd = fresh();
    const own = ["--plugin", plugin("custom-student/student.ts"), "--student", "residual-mlp"];
    expect(readme("custom-student")).toContain("--plugin examples/custom-student/student.ts --student residual-mlp");
    const { stdout, stderr, output } = await guidance(["train", ...tiny, ...own, "--no-baseline"], { cwd });
    expect(stderr, output).toBe("");
    expect(stdout).toMatch(/^guided +4\/4 +loss [\d.]+ +CE [\d.]+ +similarity [\d.]+/m);
    const scored = await guidance(["eval", runFolder(stdout), "--device", "cpu"], { cwd });
    expect(scored.stdout, scored.output).toContain("12 images");
  });

  test("a similarity trains", async () => {
    const cwd = fresh();
    const own = ["--plugin", plugin("custom-similarity/similarity.ts"), "--similarity", "cosine-alignment"];
    expect(readme("custom-similarity")).toContain("similarity.ts --similarity cosine-alignment");
    const { stdout, stderr, output } = await guidance(["train", ...tiny, ...own, "--no-baseline"], { cwd });
    expect(stderr, output).toBe("");
    const similarity = Number(/^guided +4\/4 .* similarity ([\d.]+)/m.exec(stdout)?.[1]);
    expect(similarity).toBeGreaterThan(0);
    expect(similarity).toBeLessThan(1);
  });

  test("a similarity compares", async () => {
    const own = ["--plugin", plugin("custom-similarity/similarity.ts"), "--similarity", "cosine-alignment"];
    const sizes = "--device cpu --dataset synthetic --synthetic-height 8 --synthetic-width 8 --layers 4 --width 6";
    const args = `compare deep-fcn deep-fcn ${sizes} --samples 16 --first-width 6`.split(" ");
    const { stdout, status, output } = await guidance([...args, ...own], { cwd: fresh() });
    expect(status, output).toBe(0);
    expect(stdout).toContain("cosine-alignment");
  });
});

describe("the quickstart", () => {
  /** The losses that it prints, and the backend. */
  async function quickstart(environment: Record<string, string>) {
    const entry = join(examples, "tensor-quickstart/quickstart.ts");
    const stdout = await mustRun(process.execPath, ["--import", "tsx", entry], { cwd: examples, env: environment });
    const losses = [...stdout.matchAll(/^step \d+: loss ([\d.]+)$/gm)].map(([, loss]) => Number(loss));
    expect(stdout).toMatch(/^\d+ kernels, .* peak /m);
    expect(losses).toHaveLength(7);
    expect(losses[6]).toBeLessThan(losses[0] / 2);
    return stdout;
  }

  test.skipIf(!device)("learns on WebGPU", async () => {
    expect(await quickstart({})).toMatch(/^backend webgpu /m);
  });

  test.skipIf(process.platform !== "linux")("learns on the CPU where there is no WebGPU", async () => {
    const nowhere = { VK_DRIVER_FILES: "/nonexistent.json", VK_ICD_FILENAMES: "/nonexistent.json" };
    expect(await quickstart({ ...nowhere, GUIDANCE_DEVICE: "lavapipe" })).toMatch(/^no WebGPU: .*\nbackend cpu /m);
  });
});
