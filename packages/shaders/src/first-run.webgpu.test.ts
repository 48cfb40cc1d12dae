/** Help for first runs that compile. */
import { expect, test } from "vitest";
import { openDevice } from "./adapter/open.ts";
import { helpFirstRun } from "./first-run.ts";
import type { Dispatch } from "./kernels/dispatch.ts";

/** Dispatches of trivial shaders, each of a text of its own. */
const dispatches = Array.from({ length: 9 }, (_, i): Dispatch => {
  const shader = `@group(0) @binding(0) var<storage, read_write> output0: array<f32>;
@group(0) @binding(1) var<uniform> factor: f32;
@compute @workgroup_size(1) fn main() { output0[0] = ${i}.0 * factor; }`;
  const bindings = [{ buffer: { kind: "output", index: 0 }, access: "read_write", offset: 0, size: 4 }] as const;
  return { shader, bindings, params: new Uint32Array(1), workgroups: [1, 1, 1] };
});

/** All that is asked of the device that runs. */
const lavapipe = { kind: "lavapipe" } as const;

const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test("a second device compiles from the last shader backwards until a long first run ends", async () => {
  const second = await openDevice();
  const texts: string[] = [];
  const create = second.device.createShaderModule.bind(second.device);
  second.device.createShaderModule = (descriptor) => {
    texts.push(descriptor.code);
    return create(descriptor);
  };
  const open = () => Promise.resolve(second);
  const longRun = async () => {
    while (texts.length < dispatches.length) await later(10);
    return "outputs";
  };
  expect(await helpFirstRun(lavapipe, dispatches, longRun, open)).toBe("outputs");
  expect(texts).toEqual(dispatches.map(({ shader }) => shader).reverse());
  while (second.lostReason === undefined) await later(10);
  expect(second.lostReason).toBe("it was closed");
});

test("a short first run, one with few shaders, and a run that fails get none", async () => {
  const open = () => Promise.reject(new Error("no device was to be opened"));
  expect(await helpFirstRun(lavapipe, dispatches, () => Promise.resolve(1), open)).toBe(1);
  expect(await helpFirstRun(lavapipe, dispatches.slice(0, 7), () => later(600).then(() => 2), open)).toBe(2);
  await expect(helpFirstRun(lavapipe, dispatches, () => Promise.reject(new Error("lost")), open)).rejects.toThrow(
    "lost",
  );
});

test("help that fails does not disturb the run", async () => {
  const open = () => Promise.reject(new Error("no second device"));
  expect(await helpFirstRun(lavapipe, dispatches, () => later(600).then(() => 3), open)).toBe(3);
});
