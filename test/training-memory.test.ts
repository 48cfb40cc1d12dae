// After the first steps training creates nothing on the device and holds on to nothing, there or in the process: over 2,000
// steps, by counting what is created and by measuring what is held.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  buildGuide,
  buildStudent,
  closeSplits,
  defaultConfig,
  fit,
  loadExperimentData,
  setGuideMode,
  studentTask,
  type TrainConfig,
} from "@guidance/guidance";
import { openBackend } from "@guidance/shaders";
import { type Backend, cpuBackend } from "@guidance/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { measureProcess, type ProcessMemory } from "./support/process-memory.ts";
import { openTier } from "./support/tiers.ts";

const webgpu = await openTier("webgpu", openBackend, ({ name }) => name);
const folder = mkdtempSync(join(tmpdir(), "guidance-memory-"));
afterAll(async () => {
  await webgpu?.close();
  rmSync(folder, { recursive: true });
});

const STEPS = 2000;
/** The process is measured each time so many steps are done, from the second time on: the first leave caches behind. */
const INTERVAL = 250;
/** Bytes a step may leave: a Tensor that is kept takes 2,000, the losses of a step 800. Measured: -70 to 210. */
const HEAP_PER_STEP = 500;
/** Bytes of pages a step may leave, which allocators give back late or never. Measured: 0 to 2,700. */
const RESIDENT_PER_STEP = 6000;

const config: TrainConfig = {
  ...defaultConfig,
  dataset: "synthetic",
  synthetic: { channels: 1, height: 8, width: 8, classes: 4, train: 80, validation: 8, test: 8 },
  batchSize: 8,
  steps: STEPS,
  student: { ...defaultConfig.student, layers: 4, firstWidth: 8, width: 8, dropout: 0.1 },
  guide: { ...defaultConfig.guide, baseWidth: 2 },
};

/** A folder of images that take no time to decode. */
const imageConfig = (): TrainConfig => {
  const files = new URL("./fixtures/images/", import.meta.url);
  const jpegs = readdirSync(files).filter((name) => name.endsWith(".jpg"));
  for (const split of ["train", "val"]) {
    for (const label of ["a", "b"]) {
      mkdirSync(join(folder, split, label), { recursive: true });
      for (const name of jpegs) writeFileSync(join(folder, split, label, name), readFileSync(new URL(name, files)));
    }
  }
  return {
    ...config,
    dataset: "folder",
    dataFolder: folder,
    images: { ...defaultConfig.images, size: 8, workers: 2, onBad: "skip" },
    batchSize: 4,
    student: { ...config.student, layers: 2 },
    guide: { ...config.guide, steps: 0, baseWidth: 1 },
  };
};

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

/** Trains under guidance, and tells what was held and created in the meantime. */
async function train(backend: Backend, trained: TrainConfig, created = new Map<string, number>()) {
  const before = backend.liveBytes;
  const splits = await loadExperimentData(trained);
  const { model: guide, generator } = buildGuide(trained, splits);
  setGuideMode(guide, trained);
  const { model, generator: own } = buildStudent(trained, splits);
  const task = studentTask(trained, splits, model, guide);
  /** Each state of the device after a step: bytes, and all that was ever created. */
  const states = new Set<string>();
  const measured: ProcessMemory[] = [];
  let peak = 0;
  const progress = await fit({
    arm: "guided",
    backend,
    task,
    generators: [generator, own],
    splits,
    config: trained,
    observer: {
      planned: (_arm, { plan }) => {
        peak = plan.memory.peak;
      },
      step: ({ step }) => {
        const lasting = [...created].filter(([name]) => name !== perSubmit);
        states.add(JSON.stringify([...lasting, backend.liveBytes - before]));
        if (step > INTERVAL && step % INTERVAL === 0) measured.push(measureProcess());
      },
    },
  });
  expect(progress.step).toBe(STEPS);
  const live = backend.liveBytes - before;
  task.optimizer.close();
  model.close();
  guide.close();
  await closeSplits(splits);
  expect(backend.liveBytes).toBe(before);
  return { states, measured, peak, live };
}

/**
 * Throws where steps leave more in the process than nothing and noise. The median of the intervals counts, since V8 frees
 * compiled code now and then, hundreds of kB at a time, which would hide a leak from a difference of two values.
 */
function expectFlat(name: string, measured: readonly ProcessMemory[]): void {
  const perStep = (of: (memory: ProcessMemory) => number) => {
    const grown = measured.slice(1).map((memory, i) => (of(memory) - of(measured[i])) / INTERVAL);
    return grown.sort((a, b) => a - b)[Math.floor(grown.length / 2)];
  };
  const [heap, resident] = [perStep((memory) => memory.heap), perStep((memory) => memory.resident)];
  const text = `${name}: ${heap} and ${resident} bytes a step; ${JSON.stringify(measured)}`;
  if (process.env.GUIDANCE_SHOW_MEMORY) console.log(text);
  expect(heap, text).toBeLessThan(HEAP_PER_STEP);
  expect(resident, text).toBeLessThan(RESIDENT_PER_STEP);
}

describe(`over ${STEPS} guided steps nothing grows`, () => {
  it("on the CPU backend", async () => {
    const backend = cpuBackend();
    const { states, measured, live, peak } = await train(backend, config);
    expect([...states]).toHaveLength(1);
    expect(live).toBeLessThanOrEqual(peak);
    expectFlat(backend.name, measured);
    await backend.close();
    expect(backend.liveBytes).toBe(0);
  });

  it.skipIf(!webgpu)("on WebGPU, where no object is created after the first step", async () => {
    if (!webgpu) return;
    const created = countCreations(webgpu.opened.device);
    expect([...created.keys()]).toEqual(
      expect.arrayContaining(
        ["Buffer", "BindGroup", "BindGroupLayout", "ComputePipeline", "ComputePipelineAsync"]
          .concat(["PipelineLayout", "ShaderModule", "QuerySet", "Texture", "CommandEncoder"])
          .map((kind) => `create${kind}`),
      ),
    );
    const { states, measured, peak } = await train(webgpu, config, created);
    expect([...states]).toHaveLength(1);
    for (const name of ["createBuffer", "createBindGroup", "createComputePipelineAsync", perSubmit])
      expect(created.get(name), name).toBeGreaterThan(0);
    expect(created.get("createQuerySet")).toBe(0);
    expect(peak).toBeGreaterThan(0);
    expectFlat(webgpu.name, measured);
  });

  it("with images that threads decode and prepare ahead", async () => {
    const backend = cpuBackend();
    const { states, measured } = await train(backend, imageConfig());
    expect([...states]).toHaveLength(1);
    expectFlat("images", measured);
    await backend.close();
  });
});
