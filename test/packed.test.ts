// What a user of the libraries gets: built, packed, installed by npm in an empty folder, run from plain JavaScript.
// `tensor` must work alone, on the CPU; with `shaders` beside it the same program trains on WebGPU.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mustRun, pnpm, root } from "./support/command.ts";

const temporary = mkdtempSync(join(tmpdir(), "guidance-packed-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

type PackageName = "tensor" | "shaders";
const archives = {} as Record<PackageName, string>;

beforeAll(async () => {
  const [program, ...args] = await pnpm();
  await mustRun(program, [...args, "exec", "tsc", "-b", "packages/shaders"]);
  for (const name of ["tensor", "shaders"] as const) {
    const destination = join(temporary, `${name}-archive`);
    mkdirSync(destination);
    await mustRun(program, [...args, "pack", "--pack-destination", destination], { cwd: join(root, "packages", name) });
    archives[name] = join(destination, readdirSync(destination)[0]!);
  }
}, 300_000);

/** Installs packed packages with npm, as the only things in an empty folder. */
async function install(folderName: string, ...names: PackageName[]): Promise<string> {
  const folder = join(temporary, folderName);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true }));
  const packed = names.map((name) => archives[name]);
  await mustRun("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", ...packed], { cwd: folder });
  cpSync(join(root, "test/packed/train.mjs"), join(folder, "train.mjs"));
  return folder;
}

interface Training {
  backend: string;
  losses: [before: number, after: number];
}

async function train(folder: string, backend: "cpu" | "webgpu"): Promise<Training> {
  return JSON.parse(await mustRun(process.execPath, ["train.mjs", backend], { cwd: folder }));
}

/** Every file below a folder. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}

describe("tensor, installed alone", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await install("alone", "tensor");
  }, 300_000);

  test("brings nothing else, and no tests", () => {
    const installed = readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."));
    expect(installed).toEqual(["@guidance"]);
    const own = join(folder, "node_modules/@guidance/tensor");
    const manifest = JSON.parse(readFileSync(join(own, "package.json"), "utf8"));
    expect(manifest.exports).toEqual({ ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } });
    expect(filesIn(own)).toContain("index.d.ts");
    expect(filesIn(own).filter((name) => /\.test\.|tsbuildinfo/.test(name))).toEqual([]);
  });

  test("trains one step on the CPU", async () => {
    const { losses } = await train(folder, "cpu");
    expect(losses[1]).toBeLessThan(losses[0]);
  });
});

describe("tensor and shaders, installed together", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await install("together", "tensor", "shaders");
  }, 300_000);

  test("train one step on WebGPU, to the same loss as on the CPU", async () => {
    const { losses } = await train(folder, "webgpu");
    expect(losses[1]).toBeLessThan(losses[0]);
    const reference = await train(folder, "cpu");
    expect(losses[0]).toBeCloseTo(reference.losses[0], 4);
    expect(losses[1]).toBeCloseTo(reference.losses[1], 4);
  });
});
