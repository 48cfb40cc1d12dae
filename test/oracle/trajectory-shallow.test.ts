// Twenty steps of the shallow student on the CPU: the strict check in float32, whose losses stay on the reference's.

import { cpuBackend } from "@guidance/tensor";
import { testTrajectories } from "../support/oracle-trajectory-test.ts";

testTrajectories("shallow", cpuBackend({ precision: "float32" }));
testTrajectories("shallow", cpuBackend({ precision: "float64" }));
