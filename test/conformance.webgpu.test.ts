// The WebGPU backend, on whichever adapter opens here: as it comes, with the kernels that run anywhere, and with bindings
// so small that tensors are processed through windows.

import { type BackendOptions, openBackend } from "@guidance/shaders";
import { afterAll, describe, it } from "vitest";
import { conformance } from "./support/conformance.ts";
import { openTier } from "./support/tiers.ts";

const setups: [string, BackendOptions, runs: number][] = [
  ["webgpu", {}, 8],
  ["webgpu with direct kernels", { family: "direct" }, 4],
  // the largest image of a case, which a weight gradient takes whole, has 588 bytes
  ["webgpu through windows of 1024 bytes", { maxBindingBytes: 1024 }, 4],
];

for (const [name, options, runs] of setups) {
  const backend = await openTier(
    "webgpu",
    () => openBackend(options),
    (opened) => opened.name,
  );
  afterAll(() => backend?.close());
  if (backend) conformance(name, backend, { runs, tolerance: 1e-5, large: name === "webgpu" });
  else describe.skip(`${name} gives what the reference gives`, () => it("needs an adapter", () => {}));
}
