// Every TypeScript block of a page is a program: it type-checks, runs, and prints what its comments say it prints.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatWithOptions } from "node:util";
import { openDevice } from "@guidance/shaders";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { mustRun, root } from "../support/command.ts";
import { openTier } from "../support/tiers.ts";
import { type Block, blocksOf, pages, where } from "./markdown.ts";

const device = await openTier("webgpu", openDevice, ({ description }) => description);
device?.close();

// below test/, whose packages they import
const folder = join(root, "test/.docs");
const fileOf = ({ page, line }: Block) => join(folder, `${page.replace(/\W+/g, "-")}-${line}.ts`);
const blocks = pages.flatMap((page) => blocksOf(page)).filter(({ language }) => language === "ts");

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const block of blocks) writeFileSync(fileOf(block), `${block.text}\n`);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: "../tsconfig.json", include: ["*.ts"] }));
});
afterEach(() => vi.restoreAllMocks());

test("all of them type-check", async () => {
  await mustRun(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder]);
});

describe.each(blocks.map((block) => [where(block), block] as const))("%s", (_place, block) => {
  test.skipIf(block.text.includes("@guidance/shaders") && !device)("runs", async () => {
    const printed: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...values) => {
      printed.push(formatWithOptions({ colors: false }, ...values));
    });
    await import(fileOf(block));
    const expected = [...block.text.matchAll(/\/\/ prints (.*)$/gm)].map(([, text]) => text);
    if (expected.length > 0) expect(printed).toEqual(expected);
  });
});
