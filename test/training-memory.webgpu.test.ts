// After the first step training creates nothing on the device and holds on to nothing: by counting, over 200 steps.

import { defaultConfig, fit, guides, loadExperimentData, similarities, students } from "@guidance/guidance";
import { openBackend } from "@guidance/shaders";
import { Generator, optim } from "@guidance/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { openTier } from "./support/tiers.ts";

const backend = await openTier("webgpu", openBackend, ({ name }) => name);
afterAll(() => backend?.close());

const config = {
  ...defaultConfig,
  dataset: "synthetic",
  synthetic: { channels: 1, height: 8, width: 8, classes: 4, train: 80, validation: 8, test: 8 },
  batchSize: 8,
  steps: 200,
  student: { ...defaultConfig.student, layers: 4, firstWidth: 8, width: 8, dropout: 0.1 },
  guide: { ...defaultConfig.guide, baseWidth: 2 },
};

describe.skipIf(!backend)("guided training on WebGPU", () => {
  it("creates no device object after the first step, and live bytes stay flat", async () => {
    if (!backend) return;
    const before = backend.liveBytes;
    const splits = await loadExperimentData(config);
    const generator = new Generator(0);
    const task = { channels: 1, height: 8, width: 8, classes: 4, generator };
    const guide = guides.get("resnet18")(task, config.guide).named("guide");
    const model = students.get("deep-fcn")(task, config.student).named("student");
    const optimizer = new optim.Adam(model.parameters(), { learningRate: 1e-3 });
    const guidance = { guide, similarity: similarities.get("cka"), alpha: () => 3, forwards: "single" } as const;
    const seen = new Set<string>();
    let peak = 0;
    const progress = await fit({
      arm: "guided",
      backend,
      task: { model, optimizer, guidance, imageShape: [1, 8, 8] },
      generators: [generator],
      splits,
      config,
      observer: {
        planned: (_arm, { plan }) => {
          peak = plan.memory.peak;
        },
        step: () => {
          const { submits: _submits, ...created } = backend.counters;
          seen.add(JSON.stringify({ ...created, liveBytes: backend.liveBytes }));
        },
      },
    });
    expect(progress.step).toBe(200);
    expect([...seen]).toHaveLength(1);
    expect(peak).toBeGreaterThan(0);
    optimizer.close();
    model.close();
    guide.close();
    expect(backend.liveBytes).toBe(before);
  });
});
