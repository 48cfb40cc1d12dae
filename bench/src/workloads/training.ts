/** Whole training steps: fcn48, and the demonstration's student under guidance and alone. */
import { compileTrainingStep, DeepFCN, ResNet18, similarities } from "@guidance/guidance";
import {
  type Backend,
  compile,
  cpuBackend,
  crossEntropy,
  f32,
  Generator,
  i32,
  nn,
  optim,
  type Plan,
} from "@guidance/tensor";
import { fcnWeight, fill, fcn48 as sizes, time } from "../../peers/data.mjs";
import type { Timing } from "../result.ts";
import { peakRatio } from "./live-bytes.ts";
import { expectClose } from "./time-op.ts";

function factsOf(plan: Plan, ready: number) {
  return {
    dispatches: plan.calls.reduce((sum, call) => sum + call.dispatches, 0),
    "ready ms": ready,
    "peak MB": plan.memory.peak / 1e6,
    "peak / live": peakRatio(plan),
  };
}

const labelsOf = (count: number) => Int32Array.from({ length: count }, (_, i) => i % 10);

async function fcnStep(backend: Backend, layers: number) {
  const { inputs, width, classes, batch, learningRate } = sizes;
  const modules: nn.Module[] = [];
  for (let i = 0; i < layers; i++)
    modules.push(new nn.Linear(i === 0 ? inputs : width, width), new nn.BatchNorm1d(width), new nn.ReLU());
  const model = new nn.Sequential(...modules, new nn.Linear(width, classes));
  const linears = [...modules.filter((_, i) => i % 3 === 0).map((_, i) => 3 * i), 3 * layers];
  const state = await model.stateDict();
  linears.forEach((at, i) => {
    const [from, to] = [i === 0 ? inputs : width, i === layers ? classes : width];
    state.set(`${at}.weight`, { dtype: "F32", shape: [to, from], data: fcnWeight(from, to, i) });
    state.set(`${at}.bias`, { dtype: "F32", shape: [to], data: new Float32Array(to) });
  });
  model.loadStateDict(state);
  const adam = new optim.Adam(model.parameters(), { learningRate });
  return compile(backend, { images: f32(batch, inputs), labels: i32(batch) }, ({ images, labels }) => {
    const loss = crossEntropy(model.call(images), labels);
    adam.minimize(loss);
    return { loss };
  });
}

/** 48 batch norms over 64 samples amplify the last bit to the first digits of the loss; four of them do not. */
const CHAOS = 0.1;

export async function fcn48(backend: Backend): Promise<Timing> {
  const { batch, inputs, layers } = sizes;
  const values = { images: fill(batch * inputs, 1), labels: labelsOf(batch) };
  const [shallow, reference] = await Promise.all([fcnStep(backend, 4), fcnStep(cpuBackend(), 4)]);
  for (let i = 0; i < 3; i++) {
    const [actual, expected] = [await shallow(values), await reference(values)];
    expectClose("fcn48 with 4 layers", Number(actual.loss), Number(expected.loss), 1e-4);
  }
  shallow.close();
  const start = performance.now();
  const step = await fcnStep(backend, layers);
  const facts = factsOf(step.plan, performance.now() - start);
  const check = Number((await step(values)).loss);
  return { name: "fcn48 step", times: await time(() => step(values)), check, tolerance: CHAOS, facts };
}

async function demoStep(backend: Backend, guided: boolean) {
  const generator = new Generator(0);
  const student = { inputs: 784, firstWidth: 128, width: 128, middleLayers: 48, classes: 10, dropout: 0, generator };
  const model = new DeepFCN(student).named("student");
  const guide = new ResNet18({ classes: 10, channels: 1, baseWidth: 16, generator }).named("guide");
  const optimizer = new optim.Adam(model.parameters(), { learningRate: 1e-3 });
  const guidance = { guide, similarity: similarities.get("cka"), alpha: () => 3, forwards: "single" } as const;
  const task = { model, optimizer, imageShape: [1, 28, 28], guidance: guided ? guidance : undefined };
  return compileTrainingStep(backend, task, 128);
}

async function demo(backend: Backend, guided: boolean): Promise<Timing> {
  const values = { images: fill(128 * 784, 1), labels: labelsOf(128) };
  const start = performance.now();
  const step = await demoStep(backend, guided);
  const ready = performance.now() - start;
  const { loss } = await step.run(values);
  const reference = await demoStep(cpuBackend(), guided);
  expectClose("demo step", loss, (await reference.run(values)).loss, CHAOS);
  const name = guided ? "demo step, guided" : "demo step, unguided";
  return { name, times: await time(() => step.run(values)), check: loss, facts: factsOf(step.plan, ready) };
}

export const guided = (backend: Backend) => demo(backend, true);
export const unguided = (backend: Backend) => demo(backend, false);
