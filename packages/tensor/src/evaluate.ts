/** Eager values: compiles what one tensor needs, runs it once and frees everything again. */
import type { Backend } from "./backend/backend.ts";
import { sharedCpuBackend } from "./backend/cpu.ts";
import { checkOutputs, checkTrace, type Graph, topological } from "./compile/graph.ts";
import { compileGraph } from "./compile/pipeline.ts";
import type { HostValue } from "./host-value.ts";
import type { VariableAttrs } from "./ops/leaf.ts";
import { Runner } from "./runner.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Computes one tensor now (`Tensor.data`): on `backend`, else where the Variables it reads live, else on the CPU. A
 * Variable that lives nowhere yet is copied, not bound: reading a value never decides where it will be trained.
 */
export async function evaluate(tensor: Tensor, backend?: Backend): Promise<HostValue> {
  const graph: Graph = { outputs: [{ name: "value", tensor }], stores: [] };
  checkOutputs("data", graph);
  checkTrace(graph, undefined);
  const home = topological(graph).flatMap(({ op, attrs }) =>
    op.name === "variable" ? ((attrs as VariableAttrs).variable.backend ?? []) : [],
  )[0];
  const device = backend ?? home ?? sharedCpuBackend();
  const runner = await Runner.open(device, compileGraph(graph, device), { borrows: true });
  try {
    return (await runner.run({})).value;
  } finally {
    runner.close();
  }
}
