// `pnpm test` goes through a task runner that by default drops environment variables and replays earlier results. Then
// another set of fixtures would never be looked at and the first run's green shown again. So: a run with the committed
// fixtures, which passes, then the same run with an empty folder, which must fail.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { pnpm, run } from "./support/command.ts";

const temporary = mkdtempSync(join(tmpdir(), "guidance-environment-"));
afterAll(() => rmSync(temporary, { recursive: true }));

/** `pnpm test` of this package alone, with arguments for the test runner. */
async function pnpmTest(runnerArgs: readonly string[], env: Record<string, string>) {
  const [program, ...args] = await pnpm();
  return run(program, [...args, "test", "--filter=@guidance/test", "--", ...runnerArgs], {
    env: { GUIDANCE_TIERS: join(temporary, "tiers"), ...env },
  });
}

/** Only the one file that reads every fixture and nothing else. */
const testFixtures = (env: Record<string, string>) => pnpmTest(["oracle/presence"], env);

test("pnpm test sees GUIDANCE_FIXTURES and never replays an earlier result", async () => {
  const empty = join(temporary, "fixtures");
  mkdirSync(empty);

  const committed = await testFixtures({ GUIDANCE_FIXTURES: "" });
  expect(committed.output).toMatch(/7 passed/);
  expect(committed.status).toBe(0);

  const missing = await testFixtures({ GUIDANCE_FIXTURES: empty });
  expect(missing.output).toMatch(/7 failed/);
  expect(missing.output).toContain(`Fixture "${join(empty, "recipe.json")}" cannot be read`);
  expect(missing.status).not.toBe(0);
});

test("pnpm test sees every variable, whatever its name", async () => {
  const [config, seen] = [join(temporary, "vitest.config.mjs"), join(temporary, "seen")];
  writeFileSync(
    config,
    `import { writeFileSync } from "node:fs";
    writeFileSync(${JSON.stringify(seen)}, process.env.an_unheard_of_PROXY ?? "nothing");
    export default { test: { include: [], passWithNoTests: true } };`,
  );
  const { output, status } = await pnpmTest([`--config=${config}`], { an_unheard_of_PROXY: "http://[::1]:3128" });
  expect(status, output).toBe(0);
  expect(readFileSync(seen, "utf8")).toBe("http://[::1]:3128");
});
