// What a process holds on to, once garbage is collected: for tests that nothing grows.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

export interface ProcessMemory {
  /** Bytes of objects and arrays that are reachable. */
  readonly heap: number;
  /** Bytes of pages that the process has, whoever asked for them. */
  readonly resident: number;
}

/** Collects all garbage and measures. */
export function measureProcess(): ProcessMemory {
  // what the first round only finalizes goes in the second
  for (let round = 0; round < 10; round++) collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}
