// Twenty steps of the student with twelve middle layers. It is chaotic in float32, so it is checked in float64.

import { cpuBackend } from "@guidance/tensor";
import { testTrajectories } from "../support/oracle-trajectory-test.ts";

testTrajectories("student", cpuBackend({ precision: "float64" }));
