// Twenty steps of the shallow student on WebGPU, within the tolerances of float32.

import { test } from "vitest";
import { openWebGpu } from "../support/oracle-backends.ts";
import { testTrajectories } from "../support/oracle-trajectory-test.ts";

const backend = await openWebGpu();
if (backend) testTrajectories("shallow", backend);
else test.todo("the shallow student on WebGPU did not run");
