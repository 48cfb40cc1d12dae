/** Training holds on to nothing: bytes stay flat, and all of them are given back. */
import { cpuBackend, Generator, optim } from "@guidance/tensor";
import { expect, test } from "vitest";
import { similarities } from "../method/similarity.ts";
import { guides, students } from "../models/registry.ts";
import { imageInput, imageTask } from "./build.ts";
import { loadExperimentData } from "./check.ts";
import { smallConfig } from "./experiment.test.support.ts";
import { fit } from "./fit.ts";

test("live bytes are flat over 200 guided steps", async () => {
  const backend = cpuBackend();
  const config = { ...smallConfig, steps: 200 };
  const splits = await loadExperimentData(config);
  const generator = new Generator(0);
  const task = { ...imageTask(config, splits), generator };
  const guide = guides.get("resnet18")(task, config.guide).named("guide");
  const model = students.get("deep-fcn")(task, config.student).named("student");
  const optimizer = new optim.Adam(model.parameters(), { learningRate: 1e-3 });
  const guidance = { guide, similarity: similarities.get("cka"), alpha: () => 3, forwards: "single" } as const;
  const bytes = new Set<number>();
  let peak = 0;
  await fit({
    arm: "guided",
    backend,
    task: { model, optimizer, guidance, ...imageInput(splits) },
    generators: [generator],
    splits,
    config,
    observer: {
      planned: (_arm, { plan }) => {
        peak = plan.memory.peak;
      },
      step: () => bytes.add(backend.liveBytes),
    },
  });
  expect(bytes.size).toBe(1);
  expect([...bytes][0]).toBeLessThanOrEqual(peak);
  optimizer.close();
  model.close();
  guide.close();
  expect(backend.liveBytes).toBe(0);
  await backend.close();
});
