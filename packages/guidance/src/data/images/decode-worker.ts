/** A thread that decodes and transforms images; started by {@link DecodePool}, never imported. */

import { parentPort } from "node:worker_threads";
import { BadImageError } from "./bad-image.ts";
import { decodeImage, useOneThread } from "./decode.ts";
import type { DecodeJob, DecodeReply } from "./decode-job.ts";
import { transformImage } from "./transform.ts";

useOneThread();

parentPort?.on("message", async ({ id, bytes, path, transform, key }: DecodeJob) => {
  const reply = (message: DecodeReply, transfer: ArrayBuffer[] = []) => parentPort?.postMessage(message, transfer);
  try {
    const image = transformImage(await decodeImage(bytes, path), transform, key);
    reply({ id, image }, [image.buffer]);
  } catch (error) {
    if (error instanceof BadImageError) reply({ id, bad: error.reason });
    else reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
