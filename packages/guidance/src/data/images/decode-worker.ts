/** A thread that decodes and transforms images; started by {@link DecodePool}, never imported. */

import { parentPort, workerData } from "node:worker_threads";
import { GuidanceError } from "@guidance/tensor";
import { BadImageError } from "./bad-image.ts";
import { decodeImage, useOneThread } from "./decode.ts";
import type { DecodeJob, DecodeReply } from "./decode-job.ts";
import { applyTransform } from "./transforms.ts";

useOneThread();

/** Imports once what registers transforms. */
let imported: Promise<void> | undefined;
async function importModules(): Promise<void> {
  for (const module of workerData as readonly string[]) await import(module);
}

parentPort?.on("message", async ({ id, bytes, path, transform, key }: DecodeJob) => {
  const reply = (message: DecodeReply, transfer: ArrayBuffer[] = []) => parentPort?.postMessage(message, transfer);
  try {
    if (transform.kind === "registered") {
      imported ??= importModules();
      await imported;
    }
    const image = applyTransform(await decodeImage(bytes, path), transform, key);
    reply({ id, image }, [image.buffer]);
  } catch (error) {
    if (error instanceof BadImageError) reply({ id, bad: error.reason });
    else if (error instanceof GuidanceError) reply({ id, error: error.message });
    else reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
