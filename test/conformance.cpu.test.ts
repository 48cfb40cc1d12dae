// The CPU backend in both precisions. float64 rounds nowhere that the reference does not.

import { cpuBackend } from "@guidance/tensor";
import { conformance } from "./support/conformance.ts";

conformance("cpu float64", cpuBackend({ precision: "float64", poison: true }), { runs: 60, tolerance: 0 });
conformance("cpu float32", cpuBackend({ precision: "float32", poison: true }), { runs: 60, tolerance: 2e-6 });
