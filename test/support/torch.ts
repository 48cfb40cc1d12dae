// PyTorch, where the machine has it: scripts that make files for us and read ours. It is no requirement, so tests of it
// say in capitals that they did not run.

import { execFileSync } from "node:child_process";

/** Where Debian's packages python3-torch and python3-torchvision are. */
const PYTHON = "/usr/bin/python3";

/** What a script prints; `args` are its sys.argv[1:]. */
export function runTorch(script: string, ...args: string[]): string {
  // one thread: test processes share the cores
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  return execFileSync(PYTHON, ["-c", script, ...args], { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Whether torch and torchvision are there; says in capitals what is not tested where they are not. */
export function hasTorch(what: string): boolean {
  try {
    runTorch("import torch, torchvision");
    return true;
  } catch {
    console.warn(`!!! ${what.toUpperCase()} NOT TESTED AGAINST PYTORCH: ${PYTHON} CANNOT IMPORT TORCH AND TORCHVISION`);
    return false;
  }
}
