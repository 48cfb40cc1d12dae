// Runs the workload named on the command line and prints its report, like ours do.

/** @param workloads name -> async function that gives timings */
export async function main(engine, workloads) {
  const workload = process.argv[2];
  if (!workloads[workload]) throw new Error(`${engine} has no workload "${workload}"`);
  const timings = [await workloads[workload]()].flat();
  console.log(`REPORT ${JSON.stringify({ engine, timings })}`);
  process.exit(0);
}
