// One vitest configuration for every package; each package's `test` script runs it from its own folder.
//
// Workers are processes, not threads: Dawn reads process.env through the C library, and a worker thread's process.env
// is only a copy. Software Vulkan runs on the CPU: LP_NUM_THREADS=0 makes lavapipe execute on the calling thread, which
// is about five times cheaper for the small dispatches of tests, and lets the test processes share the cores instead.

import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    passWithNoTests: true,
    pool: "forks",
    maxWorkers: Math.min(availableParallelism(), 4),
    env: { LP_NUM_THREADS: process.env.LP_NUM_THREADS ?? "0" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
