/** Runs one workload on our engine and prints its Report: `child.ts <workload>`. */
import { openBackend } from "@guidance/shaders";
import { REPORT, type Report } from "./result.ts";
import { workloads } from "./workloads/index.ts";

const run = workloads[process.argv[2]];
if (!run) throw new Error(`there is no workload "${process.argv[2]}"; there are ${Object.keys(workloads).join(", ")}`);
const backend = await openBackend();
try {
  const report: Report = { engine: backend.opened.kind, timings: [await run(backend)].flat() };
  console.log(REPORT + JSON.stringify(report));
} finally {
  await backend.close();
}
