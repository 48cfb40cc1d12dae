/**
 * Starting the threads that decode, from sources and from packages alike.
 *
 * A thread does not inherit the hooks that run TypeScript sources as they are, and Node 20 has none of its own. Where this
 * file is a source, the thread begins with a script that installs them; in a package all is JavaScript.
 */

import { Worker } from "node:worker_threads";
import { threadModules } from "./transforms.ts";

/** A thread that runs `decode-worker`. */
export async function startDecodeThread(): Promise<Worker> {
  // On Linux with glibc the first thread to load sharp must be the main one (sharp's documentation, "Worker threads").
  await import("sharp");
  const isSource = new URL(import.meta.url).pathname.endsWith(".ts");
  const script = isSource ? "./decode-worker-source.mjs" : "./decode-worker.js";
  return new Worker(new URL(script, import.meta.url), { name: "decode", workerData: [...threadModules] });
}
