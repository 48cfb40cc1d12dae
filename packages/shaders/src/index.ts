/**
 * WGSL kernels and the WebGPU backend: opening an adapter, running a plan. Re-exports only.
 *
 * @module @guidance/shaders
 */

export type { DeviceKind, OpenedDevice } from "./adapter/device.ts";
export { type DeviceChoice, deviceChoices, type OpenDeviceOptions, openDevice } from "./adapter/open.ts";
export { bufferUsage, mapMode } from "./adapter/usage.ts";
export { waitQuietly } from "./adapter/wait.ts";
export { type BackendOptions, createBackend, openBackend, type WebGpuBackend } from "./backend.ts";
export type { Counters } from "./buffers.ts";
export type { DeviceTraits, Dispatch, GeneratedKernel } from "./kernels/dispatch.ts";
export type { KernelTime, KernelTimes } from "./profile.ts";
export type { TimedChoice, TunedKernel } from "./tune.ts";
