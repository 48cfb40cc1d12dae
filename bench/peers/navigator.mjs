// Gives Node the `navigator.gpu` that browser engines look for, from Dawn.
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
const gpu = create([]);
globalThis.guidanceBenchGpu = gpu; // Dawn aborts the process if this is collected
Object.defineProperty(globalThis, "navigator", {
  value: { gpu, userAgent: "node", hardwareConcurrency: 2, platform: "linux" },
  configurable: true,
  writable: true,
});
