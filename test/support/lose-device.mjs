// Takes the device away in the middle of a run, as a driver does that is reset. A module to load before the program
// (NODE_OPTIONS=--import <this file>); the environment says when, e.g. LOSE_DEVICE="train/step.ts 5 submit unknown":
//
//   train/step.ts  counts the calls that this source file asks for,
//   5              and takes the fifth:
//   submit         just before it is submitted, `readback`: when it is on its way and its results are waited for, or
//                  `compile`: while a kernel is being made;
//   unknown        the reason that WebGPU gives: `unknown` for a driver's own, `destroyed` for destroy().

import { createRequire } from "node:module";

const [place, count, moment, reason] = (process.env.LOSE_DEVICE ?? "").split(" ");
const { resolve } = createRequire(new URL("../../packages/shaders/package.json", import.meta.url));
const { globals } = await import(resolve("webgpu"));
const { GPUAdapter, GPUBuffer, GPUDevice, GPUQueue } = globals;

/** The run's own device; a second one may help to compile. */
let device;
let calls = 0;
let isLost = false;
/** Whether what is read next is to be lost. */
let isAwaited = false;

/** Calls `then` once, at the call that was chosen. */
function atCount(then) {
  Error.stackTraceLimit = 50;
  if (!isLost && new Error().stack.includes(`/${place}:`) && ++calls === Number(count)) then();
}

function lose() {
  isLost = true;
  device.destroy();
}

/** Replaces a method by `around`, which gets the call of the original. */
function wrap(kind, name, around) {
  const original = kind.prototype[name];
  kind.prototype[name] = function (...given) {
    return around(() => original.apply(this, given));
  };
}

wrap(GPUAdapter, "requestDevice", async (call) => {
  const opened = await call();
  if (device) return opened;
  device = opened;
  const told = opened.lost.then((info) => {
    return reason === "unknown" && isLost ? { reason, message: "The graphics driver\nwas reset." } : info;
  });
  return Object.defineProperty(opened, "lost", { value: told });
});

wrap(GPUQueue, "submit", (call) => {
  if (moment === "submit") atCount(lose);
  if (moment === "readback")
    atCount(() => {
      isAwaited = true;
    });
  return call();
});

wrap(GPUBuffer, "mapAsync", (call) => {
  const mapped = call();
  if (isAwaited && !isLost) lose();
  return mapped;
});

wrap(GPUDevice, "createComputePipelineAsync", (call) => {
  const made = call();
  if (moment === "compile") atCount(lose);
  return made;
});
