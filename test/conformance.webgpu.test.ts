// The WebGPU backend, on whichever adapter opens here.

import { openBackend } from "@guidance/shaders";
import { afterAll, describe, it } from "vitest";
import { conformance } from "./support/conformance.ts";
import { openTier } from "./support/tiers.ts";

const backend = await openTier("webgpu", openBackend, ({ name }) => name);
afterAll(() => backend?.close());

if (backend) conformance("webgpu", backend, { runs: 8, tolerance: 1e-5 });
else describe.skip("webgpu gives what the reference gives", () => it("needs an adapter", () => {}));
