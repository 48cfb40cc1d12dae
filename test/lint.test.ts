// The lint scripts guard the shape of the repository, so what they let through and what they stop is tested here on a
// small repository of its own.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "guidance-lint-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Runs a lint script on a repository of these files. */
function lint(script: "imports" | "length", files: Record<string, string>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const path = fileURLToPath(new URL(`../scripts/lint/${script}.mjs`, import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [path, root], { encoding: "utf8" });
  return { status, stderr };
}

describe("imports", () => {
  test.each([
    ["packages/shaders/src/a.ts", "@guidance/tensor"],
    ["packages/cli/src/a.ts", "@guidance/guidance"],
    ["packages/cli/src/a.ts", "commander"],
    ["packages/tensor/src/a.ts", "./ops/index.ts"],
    ["packages/tensor/src/a.test.ts", "vitest"],
    ["test/a/b.ts", "../../vitest.config.ts"],
    ["test/a/b.ts", "@guidance/shaders"],
    ["bench/src/a.ts", "@guidance/guidance"],
    ["examples/a/b.ts", "@guidance/shaders"],
  ])("lets %s import %s", (path, specifier) => {
    const text = `export * from "${specifier}";\nimport { x } from "${specifier}";\nawait import("${specifier}");`;
    expect(lint("imports", { [path]: text })).toEqual({ status: 0, stderr: "" });
  });

  test.each([
    ["packages/guidance/src/a.ts", "@guidance/shaders", "guidance may import tensor, not shaders"],
    ["packages/tensor/src/a.ts", "@guidance/shaders", "tensor may import no other package"],
    ["packages/tensor/src/a.ts", "node:fs", "tensor has no dependencies"],
    ["packages/shaders/src/a.ts", "@guidance/tensor/src/b.ts", "only the root of a package"],
    ["packages/cli/src/a.ts", "../../tensor/src/index.ts", "reaches into tensor"],
    ["test/a.ts", "../packages/tensor/src/index.ts", "reaches into tensor"],
    ["bench/src/a.ts", "@guidance/cli", "bench may import tensor, shaders, guidance, not cli"],
    ["examples/a/b.ts", "@guidance/cli", "examples may import tensor, shaders, guidance, not cli"],
    ["examples/a/b.ts", "../../packages/guidance/src/index.ts", "reaches into guidance"],
    ["bench/peers/a.mjs", "../../packages/tensor/src/index.ts", "reaches into tensor"],
    ["packages/cli/src/a.ts", "@guidance/cli", "use a relative path"],
  ])("stops %s importing %s", (path, specifier, reason) => {
    for (const text of [`import { x } from "${specifier}";`, `await import("${specifier}");`]) {
      const { status, stderr } = lint("imports", { [path]: text });
      expect(stderr).toContain(reason);
      expect(status).toBe(1);
    }
  });
});

describe("length", () => {
  const lines = (count: number) => "//\n".repeat(count);

  test.each([
    ["packages/tensor/src/a.ts", 200, 0, ""],
    ["packages/tensor/src/a.ts", 201, 0, "packages/tensor/src/a.ts: 201 lines, warning: aim for 200\n"],
    ["packages/tensor/src/a.ts", 401, 1, "packages/tensor/src/a.ts: 401 lines, error: the limit is 400\n"],
    ["packages/tensor/src/a.test.ts", 400, 0, ""],
    ["packages/tensor/src/a.test.ts", 401, 1, "packages/tensor/src/a.test.ts: 401 lines, error: the limit is 400\n"],
    ["test/support/a.ts", 400, 0, ""],
    ["test/support/a.ts", 401, 1, "test/support/a.ts: 401 lines, error: the limit is 400\n"],
  ])("%s of %i lines", (path, count, status, stderr) => {
    expect(lint("length", { [path]: lines(count) })).toEqual({ status, stderr });
  });
});
