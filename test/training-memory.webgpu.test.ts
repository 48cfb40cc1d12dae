// After the first step training creates nothing on the device and holds on to nothing: by counting, over 200 steps.

import { defaultConfig, fit, guides, loadExperimentData, similarities, students } from "@guidance/guidance";
import { openBackend } from "@guidance/shaders";
import { Generator, optim } from "@guidance/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { openTier } from "./support/tiers.ts";

const backend = await openTier("webgpu", openBackend, ({ name }) => name);
afterAll(() => backend?.close());

/** What the one submit of a step needs anew: WebGPU has no way to keep it. */
const perSubmit = "createCommandEncoder";

/** Replaces every `create*` method of a device by one that counts its calls, whoever makes them. */
function countCreations(device: GPUDevice): Map<string, number> {
  const counts = new Map<string, number>();
  for (let holder: object | null = device; holder; holder = Object.getPrototypeOf(holder)) {
    for (const name of Object.getOwnPropertyNames(holder)) {
      const create: unknown = Reflect.get(device, name);
      if (!name.startsWith("create") || counts.has(name) || typeof create !== "function") continue;
      counts.set(name, 0);
      const counted = (...given: unknown[]): unknown => {
        counts.set(name, (counts.get(name) ?? 0) + 1);
        return Reflect.apply(create, device, given);
      };
      Object.defineProperty(device, name, { value: counted });
    }
  }
  return counts;
}

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
    const created = countCreations(backend.opened.device);
    expect([...created.keys()]).toEqual(
      expect.arrayContaining(
        ["Buffer", "BindGroup", "BindGroupLayout", "ComputePipeline", "ComputePipelineAsync"]
          .concat(["PipelineLayout", "ShaderModule", "QuerySet", "Texture", "CommandEncoder"])
          .map((kind) => `create${kind}`),
      ),
    );
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
          const lasting = [...created].filter(([name]) => name !== perSubmit);
          seen.add(JSON.stringify([...lasting, backend.liveBytes]));
        },
      },
    });
    expect(progress.step).toBe(200);
    expect([...seen]).toHaveLength(1);
    for (const name of ["createBuffer", "createBindGroup", "createComputePipelineAsync", perSubmit])
      expect(created.get(name), name).toBeGreaterThan(0);
    expect(created.get("createQuerySet")).toBe(0);
    expect(peak).toBeGreaterThan(0);
    optimizer.close();
    model.close();
    guide.close();
    expect(backend.liveBytes).toBe(before);
  });
});
