// What the dashboard costs: the demonstration with --ui and a page open against without, in turns, by the time of its steps
// and by that of the whole command; and the CPU time that its server and the browser take while it trains, which other work
// on the machine hardly changes. Needs a Chromium, Linux, and for the first two a machine that does nothing else.
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

/** Seconds of CPU that a process has taken so far; undefined once it is gone. */
function cpuSeconds(pid) {
  try {
    // behind the name, which may have spaces: user and system time in hundredths of a second
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

/** Seconds of CPU that a browser has taken so far, all its processes together. */
async function browserSeconds(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** Milliseconds after which a page is open, and all that follows is there to stay. */
const OPENING = 5000;

/**
 * Opens `url`, the dashboard of the process `pid`. What is returned gives, at the end, CPU seconds that the server took to
 * start and the browser to open the page, and those of both since then as parts of the time.
 */
async function look(browser, url, pid) {
  const server = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0];
  const start = cpuSeconds(server);
  const before = await browserSeconds(browser);
  await (await browser.newPage()).goto(url);
  await new Promise((resolve) => setTimeout(resolve, OPENING));
  const began = performance.now();
  const [served, shown] = [cpuSeconds(server), await browserSeconds(browser)];
  let last = served;
  const timer = setInterval(() => {
    last = cpuSeconds(server) ?? last;
  }, 200);
  return async () => {
    clearInterval(timer);
    if (served === undefined) throw new Error(`the training was over in ${OPENING / 1000} s: take more steps`);
    const seconds = (performance.now() - began) / 1000;
    return {
      ...{ start, opening: shown - before },
      server: (last - served) / seconds,
      browser: ((await browserSeconds(browser)) - shown) / seconds,
    };
  };
}

/** One training; the median seconds of its steps by network, those of all, and what the dashboard took. */
async function train(name, withUi) {
  const browser = withUi ? await chromium.launch({ executablePath, args: ["--no-sandbox"] }) : undefined;
  const folder = join(out, name);
  const inspect = withUi ? ["--ui", "--port", "0"] : [];
  const started = performance.now();
  const child = spawn(execPath, [command, "train", "--out", out, "--folder", folder, "--steps", steps, ...inspect]);
  let output = "";
  let looking;
  child.stdout.on("data", (chunk) => {
    output += chunk;
    const url = /^dashboard (\S+)$/m.exec(output)?.[1];
    // what goes wrong is told once the training has ended
    if (browser && url) looking ??= look(browser, url, child.pid).catch((error) => () => Promise.reject(error));
  });
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  const status = await new Promise((resolve) => child.on("close", resolve));
  const wall = (performance.now() - started) / 1000;
  const taken = await (await looking)?.();
  await browser?.close();
  if (status !== 0) throw new Error(output);
  const of = (arm) => {
    const lines = readFileSync(join(folder, arm, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map(JSON.parse);
    return median(lines.flatMap(({ kind, seconds }) => (kind === "step" ? [seconds] : [])));
  };
  return { guided: of("guided"), unguided: of("unguided"), wall, ...taken };
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
  const taken = (what) => median(results.with.map((one) => one[what]));
  const share = (what) => `${(100 * taken(what)).toFixed(2)} %`;
  const once = (what) => `${taken(what).toFixed(2)} s`;
  console.log(`CPU time  once: server ${once("start")} to start, browser ${once("opening")} to open the page`);
  console.log(`          then, of one core: server ${share("server")}, browser ${share("browser")}`);
} finally {
  rmSync(out, { recursive: true, force: true });
}
