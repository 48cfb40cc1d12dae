/** The engines that are compared, each run as a process of its own. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { REPORT, type Report } from "./result.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const peersFolder = path("../peers");

export interface Engine {
  readonly name: string;
  /** Arguments of the process that runs one workload. */
  command(workload: string): readonly [string, ...string[]];
}

export const own: Engine = {
  name: "guidance",
  command: (workload) => [process.execPath, "--import", "tsx", path("child.ts"), workload],
};

const peer = (name: string, file: string, ...options: string[]): Engine => ({
  name,
  command: (workload) => [process.execPath, path(`../peers/${file}`), workload, ...options],
});

/** Workloads that peers have too. */
export const sharedWorkloads = ["fcn48", "matmul", "convolution", "normalization", "alignment"];

/** Python with PyTorch: `GUIDANCE_PYTHON`, or the first of the usual ones that can import it. */
function pythonWithTorch(): string | undefined {
  const candidates = [process.env.GUIDANCE_PYTHON, "python3", "/usr/bin/python3"];
  return candidates.find((python) => {
    if (!python) return false;
    try {
      execFileSync(python, ["-c", "import torch"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
}

/** Installs the JavaScript peers into their folder, where they are not, and returns every engine beside ours. */
export function findPeers(announce: (line: string) => void): Engine[] {
  if (!existsSync(path("../peers/node_modules"))) {
    announce("installing the other engines into bench/peers");
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], {
      cwd: peersFolder,
      stdio: "ignore",
    });
  }
  const engines = [
    peer("tfjs webgpu", "tfjs.mjs", "webgpu"),
    peer("tfjs wasm", "tfjs.mjs", "wasm"),
    peer("jax-js webgpu", "jax.mjs", "webgpu"),
    peer("jax-js wasm", "jax.mjs", "wasm"),
  ];
  const python = pythonWithTorch();
  if (python) {
    engines.push({ name: "PyTorch", command: (workload) => [python, path("../peers/torch_peer.py"), workload] });
  } else announce("PyTorch is not measured: no python3 here can import torch");
  return engines;
}

/** Runs a workload and returns its Report, or what went wrong in one line. */
export async function run(engine: Engine, workload: string): Promise<Report | string> {
  const [program, ...args] = engine.command(workload);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd: path("..") });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  // an engine that hangs must not hold up the others
  const timer = setTimeout(() => child.kill("SIGKILL"), 180_000);
  const status = await new Promise((resolve) => child.on("close", resolve));
  clearTimeout(timer);
  const line = output.split("\n").find((text) => text.startsWith(REPORT));
  if (status === 0 && line) return JSON.parse(line.slice(REPORT.length)) as Report;
  const reason = errors.split("\n").find((text) => /error/i.test(text)) ?? errors.trim().split("\n").at(-1);
  return status === null ? "took more than 180 s" : (reason?.trim() ?? `ended with ${status}`);
}
