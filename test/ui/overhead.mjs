// What the dashboard costs: the demonstration with --ui and a page open against without, in turns, by the time of its steps
// and by that of the whole command. Needs a Chromium, and a machine that does nothing else.
//
//   node test/ui/overhead.mjs [turns] [steps]

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [turns = "3", steps = "300"] = argv.slice(2);
const command = fileURLToPath(new URL("../../packages/cli/bin/guidance.mjs", import.meta.url));
const places = [process.env.GUIDANCE_CHROMIUM ?? "", "/usr/bin/chromium", "/usr/bin/google-chrome"];
const executablePath = places.find((place) => place && existsSync(place));
const out = mkdtempSync(join(tmpdir(), "guidance-overhead-"));
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** One training; the median seconds of its steps by network, and those of all. */
async function train(name, withUi) {
  const browser = withUi ? await chromium.launch({ executablePath, args: ["--no-sandbox"] }) : undefined;
  const folder = join(out, name);
  const inspect = withUi ? ["--ui", "--port", "0"] : [];
  const started = performance.now();
  const child = spawn(execPath, [command, "train", "--out", out, "--folder", folder, "--steps", steps, ...inspect]);
  let output = "";
  child.stdout.on("data", async (chunk) => {
    const before = output.length === 0 || !/^dashboard (\S+)$/m.test(output);
    output += chunk;
    const url = /^dashboard (\S+)$/m.exec(output)?.[1];
    if (browser && before && url) await (await browser.newPage()).goto(url).catch(() => {});
  });
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  const status = await new Promise((resolve) => child.on("close", resolve));
  const wall = (performance.now() - started) / 1000;
  await browser?.close();
  if (status !== 0) throw new Error(output);
  const of = (arm) => {
    const lines = readFileSync(join(folder, arm, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map(JSON.parse);
    return median(lines.flatMap(({ kind, seconds }) => (kind === "step" ? [seconds] : [])));
  };
  return { guided: of("guided"), unguided: of("unguided"), wall };
}

try {
  // shaders and guide at hand
  await train("first", false);
  const results = { without: [], with: [] };
  for (let turn = 0; turn < Number(turns); turn++) {
    results.without.push(await train(`without-${turn}`, false));
    results.with.push(await train(`with-${turn}`, true));
  }
  for (const what of ["guided", "unguided", "wall"]) {
    const [without, having] = [results.without, results.with].map((all) => median(all.map((one) => one[what])));
    const change = `${having >= without ? "+" : ""}${(100 * (having / without - 1)).toFixed(1)} %`;
    console.log(`${what.padEnd(9)} without ${without.toFixed(4)} s   with ${having.toFixed(4)} s   ${change}`);
  }
} finally {
  rmSync(out, { recursive: true, force: true });
}
