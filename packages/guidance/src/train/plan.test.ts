/** A run is planned before it is: the peak is the one it has, and planning leaves no trace. */
import { cpuBackend, LimitError, nn, Variable } from "@guidance/tensor";
import { expect, test } from "vitest";
import { loadExperimentData } from "./check.ts";
import { runSmall, runsFolder, smallConfig, smallNotebookConfig } from "./experiment.test.support.ts";
import { checkBudget, peakOf, planExperiment } from "./plan.ts";
import { planStep } from "./planning.ts";

const runs = runsFolder();

test.each([
  ["default", smallConfig],
  ["notebook", smallNotebookConfig],
  ["inspected", { ...smallConfig, inspectEvery: 2 }],
])("%s: a budget of the planned peak is enough, and one byte less is refused", async (_name, config) => {
  const splits = await loadExperimentData(config);
  const common = { config, splits, guideCache: runs.fresh() };
  const unlimited = cpuBackend();
  const planned = await planExperiment({ ...common, backend: unlimited });
  expect(unlimited.liveBytes).toBe(0);
  await unlimited.close();

  const peak = peakOf(planned);
  const short = cpuBackend({ budgetBytes: peak - 1 });
  expect(() => checkBudget(planned, short)).toThrow(LimitError);
  expect(() => checkBudget(planned, short)).toThrow(/needs [\d.]+ kB and the budget of cpu float32 is [\d.]+ kB/);
  await short.close();

  const backend = cpuBackend({ budgetBytes: peak });
  checkBudget(planned, backend);
  await runSmall({ ...common, backend, folder: runs.fresh() });
});

test("the parts are those of the run: no training of a guide that is random or cached, no arm that is left out", async () => {
  const backend = cpuBackend();
  const partsOf = async (config: typeof smallConfig, guideCache: string) => {
    const splits = await loadExperimentData(config);
    return (await planExperiment({ backend, config, splits, guideCache })).parts.map(({ name }) => name);
  };
  const whole = ["training of the guide", "evaluation of the guide", "guided training", "unguided training"];
  const guideCache = runs.fresh();
  expect(await partsOf(smallConfig, guideCache)).toEqual(whole);
  await runSmall({ config: smallConfig, folder: runs.fresh(), guideCache });
  expect(await partsOf({ ...smallConfig, baseline: false }, guideCache)).toEqual(whole.slice(1, 3));
  await backend.close();
});

test("a Variable that a plan used is free for any backend, and keeps its value", async () => {
  const shared = new Variable([], 2, { name: "shared" });
  await using backend = cpuBackend();
  const layer = new nn.Linear(3, 2);
  const { plan, variables } = await planStep(backend, {}, () => ({ y: shared.mul(layer.weight).sum() }));
  expect([plan.memory.variables, variables]).toEqual([28, new Set([shared, layer.weight])]);
  expect([shared.backend, backend.liveBytes]).toEqual([undefined, 0]);
  await using other = cpuBackend();
  expect((await shared.mul(3).data(other)).item()).toBe(6);
});
