// The backends that every oracle test runs on: the CPU in both precisions, and WebGPU where the machine has an adapter
// (its absence is reported by the tiers, and is a failure where the tier is required).

import { openBackend } from "@guidance/shaders";
import { type Backend, cpuBackend } from "@guidance/tensor";
import { afterAll } from "vitest";
import { openTier } from "./tiers.ts";

/** A WebGPU backend for this test file, closed after it; undefined where there is none. */
export async function openWebGpu(): Promise<Backend | undefined> {
  const backend = await openTier("webgpu", openBackend, ({ opened }) => opened.description);
  if (backend) afterAll(() => backend.close());
  return backend;
}

/** CPU float64, CPU float32 and WebGPU. */
export async function openBackends(): Promise<Backend[]> {
  const webGpu = await openWebGpu();
  return [cpuBackend({ precision: "float64" }), cpuBackend({ precision: "float32" }), ...(webGpu ? [webGpu] : [])];
}
